"""Every page of the console; importing this module declares them."""

from app.console import access as access
from app.console import apps as apps
from app.console import attention as attention
from app.console import batches as batches
from app.console import bulk as bulk
from app.console import code as code
from app.console import form_pages as form_pages
from app.console import live as live
from app.console import login as login
from app.console import operate as operate
from app.console import overview as overview
from app.console import resources as resources
from app.console import retry as retry
from app.console import run as run
from app.console import runs as runs
from app.console import schedules_webhooks as schedules_webhooks
from app.console import search as search
from app.console import static_files as static_files
from app.console import types as types
from app.console.family import pages as pages
