// Search runs in a worker. Browsers start none for pages that are opened from a folder, so there a frame runs its script:
// what is posted to one is an event of the other. (Named as the shim that Zensical would fetch from another host.)
if (location.protocol === "file:") {
  window.Worker = class {
    constructor(url) {
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      this.frame.post = (data) => setTimeout(() => this.onmessage?.(new MessageEvent("message", { data })));
      const source = new URL(url, location.href).href.replaceAll('"', "%22");
      this.frame.srcdoc = `<script>postMessage = (data) => frameElement.post(data)</script><script src="${source}"></script>`;
      this.ready = new Promise((loaded) => (this.frame.onload = loaded));
      document.documentElement.append(this.frame);
    }

    postMessage(data) {
      this.ready.then(() => this.frame.contentWindow?.dispatchEvent(new MessageEvent("message", { data })));
    }

    terminate() {
      this.frame.remove();
    }
  };
}
