"""Run the service: `python -m orders`."""

import uvicorn

from orders.app import create_app
from orders.settings import Settings

if __name__ == "__main__":
    uvicorn.run(create_app(Settings.from_environment()), host="127.0.0.1", port=8000)
