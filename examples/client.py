"""A client for fastify-secure-ws, made from docs/protocol.md alone, with nothing but the standard library of Python 3.9."""
import base64, hashlib, json, os, random, re, socket, ssl, struct, time, urllib.error, urllib.parse
from urllib.request import Request, urlopen

COME_BACK = {1001, 1006, 1011, 1012, 1013, 1014, 3008, 4429}
class Refused(Exception): """A handshake, with the server's answer to "why?": code, reconnect, retryAfter."""
class Closed(Exception): """A connection, with the code and the reason of the close frame; 1006 where there was none."""
class Failed(Exception): """A request, with the code of the error."""

class Client:
    def __init__(self, url, headers): self.url, self.headers, self.last, self.waiting = url, headers, 0, []
    def open(self):
        at, key = urllib.parse.urlsplit(self.url), base64.b64encode(os.urandom(16)).decode()
        tcp = socket.create_connection((at.hostname, at.port or (443 if at.scheme == "wss" else 80)), 10)
        self.tcp = ssl.create_default_context().wrap_socket(tcp, server_hostname=at.hostname) if at.scheme == "wss" else tcp
        fields = {"Host": at.netloc, "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": 13, "Sec-WebSocket-Key": key}
        lines = [f"GET {at.path or '/'} HTTP/1.1", *(f"{name}: {value}" for name, value in {**fields, **self.headers}.items())]
        self.tcp.sendall("\r\n".join([*lines, "", ""]).encode()); self.stream = self.tcp.makefile("rb")
        head = [line.strip().decode() for line in iter(self.stream.readline, b"\r\n") if line or self.gone()]
        if " 101 " not in head[0]: raise Refused(self.why())
        accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
        if not any(line.lower().startswith("sec-websocket-accept:") and line.endswith(accept) for line in head): self.gone()
        self.tcp.settimeout(60)  # The server pings more often.
    def gone(self): raise Closed(1006, "")
    def why(self):
        try: return json.load(urlopen(Request("http" + self.url[2:], headers={**self.headers, "secure-ws": "why"}), timeout=10))
        except urllib.error.HTTPError as answer: return json.load(answer)
    def frame(self, kind, body):
        mask, size = os.urandom(4), len(body)
        length = bytes([128 | size]) if size < 126 else struct.pack(">BH", 254, size) if size < 65536 else struct.pack(">BQ", 255, size)
        self.tcp.sendall(bytes([128 | kind]) + length + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(body)))
    def read(self, size): return body if len(body := self.stream.read(size)) == size else self.gone()
    def receive(self, whole=b""):
        while True:
            first, size = self.read(2)
            size = size if size < 126 else int.from_bytes(self.read(2 if size == 126 else 8), "big")
            body, kind = self.read(size), first & 15
            if kind == 8: self.frame(8, body[:2]); raise Closed(int.from_bytes(body[:2], "big") or 1005, body[2:].decode())
            if kind == 9: self.frame(10, body)
            whole += body if kind < 2 else b""
            if kind < 2 and first & 128: return json.loads(whole)
    def next(self): return self.waiting.pop(0) if self.waiting else self.receive()
    def send(self, type, **body): self.frame(1, json.dumps({"type": type, **body}).encode())
    def request(self, type, **body):
        self.last += 1; self.send(type, id=self.last, **body)
        while (answer := self.receive())["type"] not in ("reply", "error") or answer.get("id") != self.last: self.waiting.append(answer)
        if answer["type"] == "error": raise Failed(answer["code"])
        return answer.get("value")
    def stay(self, use, failed=0):
        """Calls use(self) on each connection until it returns, or raises why there is no use in coming back."""
        while True:
            pause = random.uniform(0, min(30, 2**failed))
            try: self.open(); failed = 0; return use(self)
            except Closed as end:
                if end.args[0] not in COME_BACK: raise
                if hint := re.search(r"retry after (\d+) ms", end.args[1]): pause = int(hint[1]) / 1000
            except Refused as end:
                if not end.args[0].get("reconnect", True): raise
                pause = max(pause, end.args[0].get("retryAfter", 0) / 1000)
            except (OSError, ValueError): pass
            failed += 1; time.sleep(pause)
