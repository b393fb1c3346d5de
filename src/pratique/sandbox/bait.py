"""Bait: what nobody honest touches, planted where intruders look. Nothing of it opens anything."""

import base64
import hashlib
import json
from typing import Final

from pratique.sandbox.dress import place_file

SOCKET: Final = "/var/run/docker.sock"
SOCKET_KIND: Final = "engine-socket"
_AWS: Final = """\
[default]
aws_access_key_id = AKIA{upper}
aws_secret_access_key = {secret}
region = eu-central-1
"""
_ENVIRONMENT: Final = "AWS_ACCESS_KEY_ID=AKIA{upper}\nAWS_SECRET_ACCESS_KEY={secret}\nDATABASE_PASSWORD={secret}\n"
_SERVICE_ACCOUNT: Final = '{{"type":"service_account","project_id":"prod-1","private_key":"{secret}"}}\n'
_DOCKER: Final = '{{"auths":{{"https://index.docker.io/v1/":{{"auth":"{secret}"}}}}}}\n'
_CONFIG_OF_KUBE: Final = "apiVersion: v1\nkind: Config\nusers: [{{name: admin, user: {{token: {secret}}}}}]\n"
_SSH: Final = "-----BEGIN OPENSSH PRIVATE KEY-----\n{block}\n-----END OPENSSH PRIVATE KEY-----\n"
_ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
PLANTED: Final = {
    "/root/.aws/credentials": ("cloud-key", _AWS),
    "/root/.config/gcloud/application_default_credentials.json": ("cloud-key", _SERVICE_ACCOUNT),
    "/root/.docker/config.json": ("registry-key", _DOCKER),
    "/root/.env": ("cloud-key", _ENVIRONMENT),
    "/root/.kube/config": ("cluster-key", _CONFIG_OF_KUBE),
    "/root/.ssh/id_rsa": ("ssh-key", _SSH),
    f"{_ACCOUNT}/token": ("cluster-key", "{secret}"),
}
"""Path → kind of bait, text."""
_HOME_BAIT: Final = ("/root/.aws/credentials", "/root/.ssh/id_rsa")
_MAX_HOMES: Final = 4


def plant(tree: int, first_id: int, homes: list[tuple[str, int, int]], seed: str) -> dict[str, str]:
    """Write the bait into an image's laid out tree; where the image has something of its own, that stays.

    :param tree: the open directory of the tree
    :param homes: more home directories, with their owners in the container
    :return: path, with all links on the way to it followed → kind of bait
    """
    wanted = {path: (kind, text, 0, 0) for path, (kind, text) in PLANTED.items()}
    for home, uid, gid in homes[:_MAX_HOMES]:
        for path in _HOME_BAIT:
            kind, text = PLANTED[path]
            wanted.setdefault(home.rstrip("/") + path.removeprefix("/root"), (kind, text, uid, gid))
    planted = {}
    for path, (kind, text, uid, gid) in wanted.items():
        content = _filled(text, f"{seed}{kind}").encode()
        place = place_file(tree, path, content, (first_id + uid, first_id + gid), mode=0o600, keep=True)
        if place:
            planted[place] = kind
    return planted


def engine_answer(request: str) -> bytes:
    """Return what an engine would answer to the first line of a request: HTTP/1.1, Docker Engine API 1.43."""
    path = request.split(" ")[1] if request.count(" ") >= 2 else "/"
    path = path.partition("?")[0]
    tail = path.removeprefix("/").partition("/")[2] if path.startswith("/v1.") else path.removeprefix("/")
    body = _ENGINE.get(tail, b"")
    if tail == "_ping":
        body = b"OK"
    elif request.startswith("POST") and tail in {"containers/create", "images/create"}:
        identity = hashlib.sha256(path.encode()).hexdigest()
        body = json.dumps({"Id": identity, "Warnings": []}).encode()
    status = b"200 OK" if body else b"204 No Content" if request.startswith("POST") else b"404 Not Found"
    head = b"HTTP/1.1 %s\r\nApi-Version: 1.43\r\nServer: Docker/24.0.7 (linux)\r\nContent-Type: application/json\r\n"
    return head % status + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body


_ENGINE: Final = {
    "version": b'{"Version":"24.0.7","ApiVersion":"1.43","MinAPIVersion":"1.12","Os":"linux","Arch":"amd64"}',
    "info": b'{"ID":"7TRN:IPZB:QYBB","Containers":3,"Images":11,"Driver":"overlay2","Name":"prod-web-1","NCPU":8}',
    "containers/json": b'[{"Id":"%s","Names":["/web"],"Image":"nginx:1.25","State":"running"}]' % (b"8dfafdbc3a40" * 5),
    "images/json": b'[{"Id":"sha256:%s","RepoTags":["nginx:1.25"],"Size":187000000}]' % (b"c8d6a1f0" * 8),
}


def _filled(text: str, seed: str) -> str:
    digest = hashlib.sha512(seed.encode()).digest()
    secret = base64.b64encode(digest).decode()
    block = "\n".join(secret[:70] for _ in range(24))
    return text.format(upper=digest.hex()[:16].upper(), secret=secret[:40], block=block)
