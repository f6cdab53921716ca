"""Applies the network faults of a simulated cloud before and after it handles a request."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate

from app.lab.clouds.cloud import Cloud
from app.lab.http import Request, Response

PAGE = b"<html><body><h1>502 Bad Gateway</h1><hr>a proxy</body></html>"


async def answered(
    cloud: Cloud,
    request: Request,
    *,
    orders: bool,
    throttled: Callable[[int], Response],
    work: Callable[[], Response],
) -> Response | None:
    """The response of ``work``, or of a fault; None when the connection is cut."""
    active_faults, lost = cloud.active_faults, cloud.faults.drop if orders else ""
    if active_faults.applies("dead"):
        return None
    if cloud.faults.slow and active_faults.applies("slow"):
        await asyncio.sleep(cloud.faults.slow)
    if active_faults.applies("html"):
        return Response(status=502, body=PAGE, headers={"Content-Type": "text/html"})
    retry_after = cloud.faults.retry_after or 0
    if active_faults.applies("throttle"):
        return throttled(retry_after)
    if lost == "request" and active_faults.applies("drop"):
        return None
    answer = work()
    if lost == "answer" and active_faults.applies("drop"):
        return None
    return replace(answer, headers={"Date": formatdate(usegmt=True), **answer.headers})
