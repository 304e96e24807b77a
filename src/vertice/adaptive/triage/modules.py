"""Which import names a distribution provides, and how it comes into use without an import of its own."""

from collections.abc import Mapping
from pathlib import Path

from packaging.utils import canonicalize_name

__all__ = ["COMMANDS", "FACADES", "USED_THROUGH", "modules_from_environment", "modules_of"]

_MODULES: Mapping[str, tuple[str, ...]] = {
    "apache-airflow": ("airflow",),
    "argon2-cffi": ("argon2",),
    "attrs": ("attr", "attrs"),
    "beautifulsoup4": ("bs4",),
    "biopython": ("Bio",),
    "discord-py": ("discord",),
    "django-allauth": ("allauth",),
    "django-cors-headers": ("corsheaders",),
    "django-debug-toolbar": ("debug_toolbar",),
    "django-filter": ("django_filters",),
    "djangorestframework": ("rest_framework",),
    "djangorestframework-simplejwt": ("rest_framework_simplejwt",),
    "dnspython": ("dns",),
    "faiss-cpu": ("faiss",),
    "gitpython": ("git",),
    "google-api-python-client": ("googleapiclient",),
    "google-auth": ("google.auth", "google.oauth2"),
    "graphql-core": ("graphql",),
    "grpcio": ("grpc",),
    "kafka-python": ("kafka",),
    "markdown-it-py": ("markdown_it",),
    "msgpack-python": ("msgpack",),
    "mysql-connector-python": ("mysql.connector",),
    "mysqlclient": ("MySQLdb",),
    "opencv-contrib-python": ("cv2",),
    "opencv-contrib-python-headless": ("cv2",),
    "opencv-python": ("cv2",),
    "opencv-python-headless": ("cv2",),
    "opentelemetry-api": ("opentelemetry",),
    "pdfminer-six": ("pdfminer",),
    "pillow": ("PIL",),
    "pillow-simd": ("PIL",),
    "protobuf": ("google.protobuf",),
    "psycopg-binary": ("psycopg",),
    "psycopg2-binary": ("psycopg2",),
    "pycrypto": ("Crypto",),
    "pycryptodome": ("Crypto",),
    "pycryptodomex": ("Cryptodome",),
    "pygithub": ("github",),
    "pyjwt": ("jwt",),
    "pymongo": ("pymongo", "bson", "gridfs"),
    "pynacl": ("nacl",),
    "pyopenssl": ("OpenSSL",),
    "pypdf2": ("PyPDF2",),
    "pyserial": ("serial",),
    "pysocks": ("socks",),
    "python-bidi": ("bidi",),
    "python-dateutil": ("dateutil",),
    "python-decouple": ("decouple",),
    "python-docx": ("docx",),
    "python-dotenv": ("dotenv",),
    "python-engineio": ("engineio",),
    "python-gnupg": ("gnupg",),
    "python-jose": ("jose",),
    "python-ldap": ("ldap",),
    "python-magic": ("magic",),
    "python-multipart": ("multipart", "python_multipart"),
    "python-pptx": ("pptx",),
    "python-saml": ("onelogin.saml2",),
    "python-slugify": ("slugify",),
    "python-socketio": ("socketio",),
    "python3-saml": ("onelogin.saml2",),
    "pyyaml": ("yaml",),
    "pyzmq": ("zmq",),
    "scikit-image": ("skimage",),
    "scikit-learn": ("sklearn",),
    "setuptools": ("setuptools", "pkg_resources"),
    "tensorflow-cpu": ("tensorflow",),
    "tensorflow-gpu": ("tensorflow",),
    "umap-learn": ("umap",),
    "websocket-client": ("websocket",),
}
"""Common distributions whose import names are not their own name with `-` as `_`."""

FACADES: Mapping[str, str] = {
    "fastapi.BackgroundTasks": "starlette.background.BackgroundTasks",
    "fastapi.FastAPI": "starlette.applications.Starlette",
    "fastapi.Request": "starlette.requests.Request",
    "fastapi.Response": "starlette.responses.Response",
    "fastapi.UploadFile": "starlette.datastructures.UploadFile",
    "fastapi.WebSocket": "starlette.websockets.WebSocket",
    "fastapi.concurrency": "starlette.concurrency",
    "fastapi.middleware": "starlette.middleware",
    "fastapi.requests": "starlette.requests",
    "fastapi.responses": "starlette.responses",
    "fastapi.staticfiles": "starlette.staticfiles",
    "fastapi.templating": "starlette.templating",
    "fastapi.testclient": "starlette.testclient",
    "fastapi.websockets": "starlette.websockets",
    "flask.Markup": "markupsafe.Markup",
    "flask.Request": "werkzeug.wrappers.Request",
    "flask.Response": "werkzeug.wrappers.Response",
    "flask.escape": "markupsafe.escape",
    "flask.request": "werkzeug.wrappers.Request",
    "flask.safe_join": "werkzeug.security.safe_join",
    "flask.send_file": "werkzeug.utils.send_file",
    "flask.send_from_directory": "werkzeug.utils.send_from_directory",
}
"""Dotted name under which one package hands out (or subclasses) another's object -> that object's own name."""

USED_THROUGH: Mapping[str, tuple[str, ...]] = {
    "email-validator": ("pydantic.EmailStr", "pydantic.NameEmail", "pydantic.networks.EmailStr"),
    "h11": ("uvicorn.run",),
    "httptools": ("uvicorn.run",),
    "httpx": ("starlette.testclient.TestClient",),
    "itsdangerous": ("flask.session", "starlette.middleware.sessions.SessionMiddleware"),
    "jinja2": ("flask.render_template", "flask.render_template_string", "starlette.templating.Jinja2Templates"),
    "lxml": ("pandas.read_html", "pandas.read_xml"),
    "openpyxl": ("pandas.read_excel",),
    "orjson": ("starlette.responses.ORJSONResponse",),
    "pillow": ("django.db.models.ImageField", "rest_framework.serializers.ImageField"),
    "pyarrow": ("pandas.read_feather", "pandas.read_parquet"),
    "python-multipart": (
        "fastapi.File",
        "fastapi.Form",
        "fastapi.security.OAuth2PasswordRequestForm",
        "fastapi.security.OAuth2PasswordRequestFormStrict",
        "starlette.datastructures.UploadFile",
        "starlette.formparsers",
        "starlette.requests.Request.form",
    ),
    "ujson": ("starlette.responses.UJSONResponse",),
    "websockets": ("uvicorn.run",),
    "werkzeug": ("flask.Flask",),
}
"""Package -> names of other packages whose use brings it into use; a name covers what is below it.

Written as they are behind FACADES: `starlette.responses.ORJSONResponse` stands for fastapi's, whoever defines it.
"""

COMMANDS: Mapping[str, tuple[str, ...]] = {
    "alembic": ("alembic",),
    "celery": ("celery",),
    "daphne": ("daphne",),
    "flask": ("flask",),
    "granian": ("granian",),
    "gunicorn": ("gunicorn",),
    "hypercorn": ("hypercorn",),
    "jupyter-server": ("jupyter",),
    "jupyterlab": ("jupyter-lab",),
    "mlflow": ("mlflow",),
    "notebook": ("jupyter-notebook",),
    "streamlit": ("streamlit",),
    "supervisor": ("supervisord",),
    "uvicorn": ("uvicorn",),
    "uwsgi": ("uwsgi",),
    "waitress": ("waitress-serve",),
}
"""Package -> programs by which a Dockerfile, Procfile, Makefile, Compose file or shell script starts it."""


def modules_of(name: str) -> tuple[str, ...]:
    """Return the dotted import names of a PEP 503 `name`: from the table, else the name with `-` as `_` and as `.`."""
    known = _MODULES.get(name)
    if known:
        return known
    return tuple(dict.fromkeys((name.replace("-", "_"), name.replace("-", "."))))


def modules_from_environment(site_packages: Path) -> dict[str, tuple[str, ...]]:
    """Return PEP 503 name -> import names for everything installed in `site_packages`.

    From `top_level.txt` where there is one, else from the paths in `RECORD`. Unreadable entries are left out.
    """
    found: dict[str, tuple[str, ...]] = {}
    for info in sorted(site_packages.glob("*.dist-info")):
        names = _top_level(info) or _recorded(info)
        if names:
            found[canonicalize_name(info.name.removesuffix(".dist-info").rsplit("-", 1)[0])] = names
    return found


def _top_level(info: Path) -> tuple[str, ...]:
    return tuple(sorted({line.strip().replace("/", ".") for line in _lines(info / "top_level.txt") if line.strip()}))


def _recorded(info: Path) -> tuple[str, ...]:
    names = set()
    for line in _lines(info / "RECORD"):
        path = line.rsplit(",", 2)[0].strip('"')
        head, slash, _ = path.partition("/")
        name = head if slash else head.split(".", 1)[0]
        if path.endswith((".py", ".so", ".pyd")) and name.isidentifier() and name != "__pycache__":
            names.add(name)
    return tuple(sorted(names))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
