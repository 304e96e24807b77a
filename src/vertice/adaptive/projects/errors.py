"""What an HTTP answer tells apart."""

from vertice.kernel.errors import InputError

__all__ = ["ProjectConflictError"]


class ProjectConflictError(InputError):
    """Catch me when a project is there already, or was changed since it was looked at."""

    code = "project-conflict"
    http_status = 409
