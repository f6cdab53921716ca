"""Requests to servers of this machine, without TLS.

`httpx.get` and its like read all certificate authorities each time, which takes longer than the request.
"""

import httpx

# A connection is never used again: many tests kill whom they ask.
http = httpx.Client(
    verify=False, trust_env=False, timeout=60, limits=httpx.Limits(max_keepalive_connections=0)
)
