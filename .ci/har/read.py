"""An addon of mitmproxy: compares what it reads with the sent data."""

import base64
import json
import os

from mitmproxy import ctx, http


class Compare:
    def __init__(self) -> None:
        with open(os.environ["WANTED"]) as file:
            self.wanted = json.load(file)
        self.read = 0

    def response(self, flow: http.HTTPFlow) -> None:
        n, self.read = self.read, self.read + 1
        if n >= len(self.wanted):
            return
        # mitmproxy omits the brackets of an IPv6 address in a URL.
        wanted = self.wanted[n]
        wanted["url"] = wanted["url"].replace("[::1]", "::1")
        # mitmproxy shows methods in upper case.
        wanted["method"] = wanted["method"].upper()
        assert flow.response is not None
        found = {
            "id": flow.request.headers["x-request-id"],
            "method": flow.request.method,
            "url": flow.request.url,
            "request": base64.b64encode(flow.request.raw_content or b"").decode(),
            "status": flow.response.status_code,
            "response": base64.b64encode(flow.response.raw_content or b"").decode(),
        }
        if found != wanted:
            ctx.log.error(f"read {found}, not {wanted}")
            os._exit(1)

    def done(self) -> None:
        if self.read != len(self.wanted) + 1:
            ctx.log.error(f"read {self.read} entries of {len(self.wanted) + 1}")
            os._exit(1)
        print(f"{self.read} entries are read, with the same bodies")


addons = [Compare()]
