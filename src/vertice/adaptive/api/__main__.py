"""Write the OpenAPI document of the embedded default to stdout."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import SecretStr

from vertice.adaptive.api.openapi import openapi_text
from vertice.adaptive.api.process import open_api
from vertice.adaptive.work.enqueue import Enqueuer
from vertice.kernel.settings import ServiceSettings

with TemporaryDirectory() as home:
    url = SecretStr(f"sqlite+aiosqlite:///{home}/vertice.db")
    settings = ServiceSettings(vertice_home=Path(home), database_url=url)
    sys.stdout.write(openapi_text(open_api(settings, Enqueuer(url.get_secret_value(), Path(home))).app))
