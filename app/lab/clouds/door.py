"""What every doubled cloud does with a request before and after it looks at it: the faults of the network."""

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
    """The answer to a request, or None when the connection is cut."""
    ailment, lost = cloud.ailment, cloud.faults.drop if orders else ""
    if ailment.bites("dead"):
        return None
    if cloud.faults.slow and ailment.bites("slow"):
        await asyncio.sleep(cloud.faults.slow)
    if ailment.bites("html"):
        return Response(status=502, body=PAGE, headers={"Content-Type": "text/html"})
    retry_after = cloud.faults.retry_after or 0
    if ailment.bites("throttle"):
        return throttled(retry_after)
    if lost == "request" and ailment.bites("drop"):
        return None
    answer = work()
    if lost == "answer" and ailment.bites("drop"):
        return None
    return replace(answer, headers={"Date": formatdate(usegmt=True), **answer.headers})
