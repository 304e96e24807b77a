"""Mail to customers."""

from email.message import EmailMessage
from pathlib import Path

from jinja2 import Environment, FileSystemLoader

from orders.database import Order

_templates = Environment(
    loader=FileSystemLoader(str(Path(__file__).parent / "templates")), autoescape=True, trim_blocks=True
)


def render_confirmation(order: Order) -> str:
    return _templates.get_template("confirmation.html").render(order=order)


def confirmation(order: Order) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = f"Your order {order.id}"
    mail["To"] = order.customer
    mail.set_content(f"We have your order {order.id}, {order.total} in all.")
    mail.add_alternative(render_confirmation(order), subtype="html")
    return mail
