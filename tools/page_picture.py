"""Take the documentation's picture of the page: the example of the network ``nuclei_lite`` in a browser, as it is.

python tools/page_picture.py docs/page.jpg [light | dark]
"""

from __future__ import annotations

import shutil
import sys
import threading

from playwright.sync_api import sync_playwright

from amsunet.deployment.page_files import page_files
from amsunet.deployment.web import networks_of
from amsunet.inference.model_ref import ModelRef
from amsunet.serving.page_server import PageServer

SIZE = {"width": 1440, "height": 900}
PATIENCE = 600_000


def main(target: str, scheme: str = "light") -> None:
    files = page_files(networks_of([ModelRef.resolve("zoo:nuclei_lite")]), level=1)
    with PageServer(files) as server, sync_playwright() as driver:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, color_scheme=scheme, locale="en-US")
        page.set_default_timeout(PATIENCE)
        page.goto(server.address)
        page.click(".examples button")
        page.click("#strip li:is([data-state=done], [data-state=check]) .thumb")
        page.keyboard.press("2")
        page.wait_for_selector(".choice button[aria-pressed=true]:nth-child(2)")
        page.locator("body").evaluate("() => new Promise((resolve) => setTimeout(resolve, 500))")
        page.mouse.move(0, 0)
        page.screenshot(path=target, type="jpeg", quality=90)
        browser.close()
        server.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
