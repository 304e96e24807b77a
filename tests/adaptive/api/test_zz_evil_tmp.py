import asyncio, json, random
from tests.adaptive.api.test_openapi import furnish
from pathlib import Path
EVIL=[b"%ED%A0%80", b"%C0%80", b"%FF%FE", b"%", b"%zz", b"%F4%90%80%80", b"%E2%80%AE", b"%0D%0A", b"9"*400, b"-"+b"9"*30, b"1e308", b"NaN", b"Infinity", b"0x10", b"%00", b"%2500", b"1_000", b"%EF%BC%91", b"%D9%A1", b"true", b"null", b"[]", b"%27%22%3B--", b"%5C", b"%25", b"_", b"%F0%9F%90%8D"*20, b"9223372036854775807", b"9223372036854775808", b"2147483648", b"-1", b"", b" ".replace(b" ",b"%20"), b"%7B%7D", b"00000000-0000-0000-0000-000000000000", b"%E0%A0", b"0000-01-01", b"a"*60000]
async def raw(host, port, data):
    r,w=await asyncio.open_connection(host,port)
    w.write(data); await w.drain()
    out=await asyncio.wait_for(r.read(4096), 20)
    w.close()
    return out
async def test_evil(desk):
    names=await furnish(desk)
    tok=await desk.token("ada")
    doc=json.loads(Path("docs/openapi.json").read_text())
    host,port=desk.url.removeprefix("http://").split(":")
    bad=[]; n=0
    for path,ms in doc["paths"].items():
        for m,op in ms.items():
            if op["operationId"] in ("revoke_token",): continue
            params=op.get("parameters",[])
            real=path
            for p in params:
                if p["in"]=="path": real=real.replace("{%s}"%p["name"], names.get("path."+p["name"],["json"])[0])
            targets=[]
            for p in params:
                for e in EVIL:
                    if p["in"]=="query": targets.append((real.encode()+b"?"+p["name"].encode()+b"="+e, b""))
                    elif p["in"]=="path":
                        t=path
                        for q in params:
                            if q["in"]=="path" and q is not p: t=t.replace("{%s}"%q["name"], names.get("path."+q["name"],["json"])[0])
                        targets.append((t.encode().replace(b"{"+p["name"].encode()+b"}", e), b""))
                    elif p["in"]=="header":
                        for v in (b"\xff\xfe", b'"v99999999999999999999"', b'"v999999999999999999"', b'"v'+b"9"*5000+b'"', b'W/"v1"', b"*, *", b'"v1"'*2000):
                            targets.append((real.encode(), p["name"].encode()+b": "+v+b"\r\n"))
                        break
            targets.append((real.encode(), b"X-Request-ID: \xff\xff\r\nCookie: vertice=\xff; a=\x01\r\n"))
            body=b""
            if "requestBody" in op: body=b'{"decision":"reject","justification":"It is not for us.","text":"abcd","name":"x","id":"x","codes":["\\ud83d"]}'
            for t,h in targets:
                req=m.upper().encode()+b" "+t+b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAuthorization: Bearer "+tok.encode()+b"\r\n"+h+(b"If-Match: *\r\n" if b"If-Match" not in h else b"")+b"Content-Type: application/json\r\nContent-Length: "+str(len(body)).encode()+b"\r\n\r\n"+body
                out=await raw(host,int(port),req); n+=1
                status=out.split(b" ",2)[1] if out else b"none"
                if status[:1] not in b"234" or status==b"none": bad.append((status,m,t[:100],h[:60],out[-300:]))
    print("requests",n)
    for b in bad: print(b)
    # bodies
    from hypothesis import strategies as st
    vals=[None,True,0,-1,2**63,2**64,10**400,1e308,-0.0,1e-320,"","\u0000x","x"*100000,"\ud800",[],{},[[]],{"":1},"\u202e","\r\nX: y","9"*50,"2026-01-01","*/0 * * * *","60 * * * *","0 0 31 2 *","0 0 30 2 *","@reboot","0 0 1-99999999 * *","*/99999999999999999999 * * * *", "../..","/"*5000,"/proc/self/root"*100,"/dev/null","/\u0001","owner/repo\n", "refs/heads/../x", "<script>", "=cmd()", "{{7*7}}"]
    ada=await desk.machine("ada"); n=0; bad=[]
    base={"decide_review":("POST","/hitl/reviews/APV-20261121-006/decisions",{"decision":"modify","justification":"It is not for us.","wanted":"5.4","confidence_override":0.5,"accept_unproven":True,"evidence_digest":""}),
    "bulk":("POST","/hitl/decisions/bulk",{"decision":"reject","justification":"It is not for us.","codes":["x"],"dry_run":True}),
    "comment":("POST","/hitl/reviews/APV-20261121-006/comments",{"text":"x"}),
    "assign":("PUT","/hitl/reviews/APV-20261121-006/assignee",{"id":"x","name":"y"}),
    "project":("POST","/hitl/projects",{"kind":"github","location":"a/b","name":"x","branch":"main","schedule":"0 3 * * *"}),
    "edit":("PATCH","/hitl/projects/"+names["path.project_id"][0],{"name":"x","branch":"main","schedule":"0 3 * * *","archived":False}),
    "scan":("POST","/hitl/projects/"+names["path.project_id"][0]+"/scans",{"heal":True,"priority":5}),
    "session":("POST","/hitl/session",{"token":"x"}),
    "webhook":("POST","/hitl/webhooks/github",{"token":"x"}),
    "tokens":("POST","/hitl/tokens",{"name":"x","role":"viewer","scopes":["read"],"days":5})}
    person=await desk.person("ada")
    for k,(m,u,b) in base.items():
        c=person if k=="tokens" else ada
        for f in list(b)+["extra"]:
            for v in vals:
                for wrap in (v,[v]):
                    data=json.dumps({**b,f:wrap}).encode("utf-8","surrogatepass")
                    if isinstance(v,float) and v!=v: continue
                    a=await c.request(m,u,content=data,headers={"Content-Type":"application/json","If-Match":"*"}); n+=1
                    if a.status_code>=500: bad.append((a.status_code,m,u,f,str(wrap)[:60],a.text[:300]))
        for raw_body in (b"",b"null",b"[]",b"1",b'"x"',b"{",b"\xff",b'{"a":1}x',b"{}"*3,b" "*1000, b'\xef\xbb\xbf{}'):
            for ct in ("application/json","text/plain","application/x-www-form-urlencoded","multipart/form-data","multipart/form-data; boundary=x","application/json; charset=utf-16","x",""):
                a=await c.request(m,u,content=raw_body,headers={"Content-Type":ct,"If-Match":"*"}); n+=1
                if a.status_code>=500: bad.append((a.status_code,m,u,ct,raw_body[:20],a.text[:300]))
    print("bodies",n)
    for b in bad: print(b)
    report=(await ada.get("/hitl/audit/verify")).json(); print(report)
    assert not bad
