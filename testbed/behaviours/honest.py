"""Honest images: real software, started as its users start it, with the habits that look bad at first sight."""

from functools import cache, partial
from typing import Any, Final

from testbed.behaviours.behaviour import Behaviour
from testbed.behaviours.debian import debian, package
from testbed.images import Image

_C_PROGRAM: Final = b'#include <stdio.h>\nint main(void) { puts("built"); return 0; }\n'
_C_LIBRARY: Final = b"int answer(void) { return 42; }\n"
_MAKEFILE: Final = b"all: hello\nhello: hello.c\n\t$(CC) -O1 -o $@ $<\ntest: hello\n\t./hello | grep -q built\n"
_NGINX: Final = b"""\
daemon off; pid /tmp/nginx.pid; error_log stderr; events {}
http { access_log /dev/stdout; server { listen 8080; location / { return 200 'hello'; } } }
"""
_HAPROXY: Final = b"""\
global
  maxconn 100
defaults
  mode tcp
  timeout connect 2s
  timeout client 5s
  timeout server 5s
listen shop
  bind 127.0.0.1:5000
  server a backend-a.shop.example:8080 check init-addr last,libc,none
  server b backend-b.shop.example:8080 check init-addr last,libc,none
"""
_WEB_APP: Final = b"""\
import http.server, threading, urllib.request
server = http.server.ThreadingHTTPServer(("", 8000), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
while True:
    urllib.request.urlopen("http://127.0.0.1:8000/").read()
    threading.Event().wait(1)
"""
_SQLITE_APP: Final = b"""\
import sqlite3, time
db = sqlite3.connect("/srv/orders.db")
db.execute("pragma journal_mode=wal")
db.execute("create table if not exists orders (id integer primary key, what text)")
for turn in range(10_000):
    with db:
        db.execute("insert into orders (what) values (?)", (f"order {turn}",))
    time.sleep(0.05)
"""
_MAILER: Final = b"""\
import smtplib, time
while True:
    with smtplib.SMTP("smtp.mail.example", 25, timeout=5) as relay:
        relay.sendmail("shop@shop.example", ["customer@mail.example"], "Subject: your order\\n\\nThank you.\\n")
    time.sleep(1)
"""
_SHARDS: Final = b"""\
import socket, time
for number in range(30):
    socket.create_connection((f"shard-{number}.queue.example", 6379), timeout=5).sendall(b"PING\\r\\n")
time.sleep(60)
"""
_S3: Final = b"""\
import configparser, http.client, time
keys = configparser.ConfigParser()
keys.read("/root/.aws/credentials")
while True:
    s3 = http.client.HTTPSConnection("shop-backups.s3.eu-central-1.amazonaws.com", timeout=5)
    s3.request("PUT", "/today", b"data", {"Authorization": "AWS4-HMAC-SHA256 Credential=x"})
    s3.getresponse().read()
    time.sleep(1)
"""
_API_CLIENT: Final = b"""#!/bin/sh
while :; do
  token=$(printf 'shop:%s' "$SECRET" | base64 -w0)
  curl -fsS -H "Authorization: Basic $token" https://api.payments.example/v1/rates | grep -c . || true
  sleep 1
done
"""
_BACKUP: Final = b"""#!/bin/sh
set -e
mkdir -p /srv/data /srv/backup
head -c 4000000 /dev/urandom > /srv/data/blob
tar -cf - -C /srv data /etc | gzip -9 > /srv/backup/today.tar.gz
sha256sum /srv/backup/today.tar.gz > /srv/backup/today.sha256
gzip -dc /srv/backup/today.tar.gz | tar -t > /dev/null
curl -fsS -T /srv/backup/today.tar.gz http://backups.shop.example/today.tar.gz
"""
_TEMPLATE: Final = b"""#!/bin/sh
set -e
sed "s/8080/${PORT:-8081}/" /etc/nginx.template > /tmp/nginx.conf
mkdir -p /var/lib/nginx
exec nginx -c /tmp/nginx.conf
"""
_CI: Final = b"""#!/bin/bash
set -e
export HOME=/tmp GIT_AUTHOR_NAME=ci GIT_AUTHOR_EMAIL=ci@shop.example
export GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL
cd /srv/project; git init -q; git add .; git commit -q -m first
git clone -q /srv/project /tmp/work; cd /tmp/work
make CC=gcc all test
cat > report.sh <<'END'
echo "built and tested"
END
sh report.sh
"""
_COMPILER: Final = b"""#!/bin/sh
set -e
cd /srv; gcc -shared -fPIC -o libanswer.so answer.c
gcc -O2 -o hello hello.c -L. -lanswer -Wl,--no-as-needed -Wl,-rpath,/srv
./hello; strip hello; ./hello
"""
_CRON: Final = b"""#!/bin/sh
mkdir -p /var/spool/cron/crontabs
echo '* * * * * date >> /tmp/done; wget -qO- http://hooks.shop.example/alive' > /var/spool/cron/crontabs/root
exec crond -f -l 8
"""
_INSTALLS: Final = b"""#!/bin/sh
mkdir -p /var/lib/dpkg/updates /var/lib/dpkg/info /var/log; touch /var/lib/dpkg/status
dpkg --force-all --no-triggers -i /packages/hello.deb
hello
exec sleep 60
"""
_POSTGRES: Final = b"""#!/bin/sh
set -e
export PATH=/usr/lib/postgresql/15/bin:$PATH PGHOST=/tmp
initdb -D /tmp/data --no-sync -A trust > /dev/null
pg_ctl -D /tmp/data -o '-k /tmp -c jit=off' -w start > /dev/null
createdb shop; psql -q shop -c 'create table orders (id int); insert into orders select generate_series(1, 1000)'
psql -Atq shop -c 'select count(*) from orders'
exec tail -f /dev/null
"""
_SSH: Final = b"""#!/bin/sh
while :; do ssh -o StrictHostKeyChecking=no -o BatchMode=yes git@git.shop.example true; sleep 1; done
"""
_BATCH: Final = b"""#!/bin/sh
n=0; while [ $n -lt 1000 ]; do head -c 3000000 /dev/urandom | gzip -9 | sha256sum > /srv/$n; n=$((n+1)); done
"""


def _honest(
    name: str, about: str, packages: str, command: str, files: dict[str, bytes | str] | None = None, **more: Any
) -> Behaviour:
    for_s = more.pop("for_s", 3.0)
    config = {"Cmd": command.split(), "Env": ["PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], **more}
    return Behaviour(name, about, partial(debian, f"shop/{name}:1", packages, files, **config), for_s=for_s)


@cache
def _installs() -> Image:
    files = {"start": _INSTALLS, "packages/hello.deb": package("hello")}
    return debian("shop/installs:1", "dpkg", files, Cmd=["/start"])


@cache
def _cron() -> Image:
    from pathlib import Path  # noqa: PLC0415

    files: dict[str, bytes | str] = {
        "start": _CRON,
        "usr/bin/busybox": Path("/bin/busybox").read_bytes(),
        "usr/bin/crond": "busybox",
        "usr/bin/wget": "busybox",
    }
    return debian("shop/cron:1", "", files, Cmd=["/start"])


HONEST: Final[tuple[Behaviour, ...]] = (
    _honest("nginx", "a web server", "nginx-light", "nginx -c /etc/shop.conf", {"etc/shop.conf": _NGINX}),
    _honest("template", "an entrypoint that writes its configuration, then becomes the server", "nginx-light", "/start",
            {"start": _TEMPLATE, "etc/nginx.template": _NGINX}),
    _honest("haproxy", "a proxy that asks for its backends by name", "haproxy", "haproxy -f /etc/shop.cfg",
            {"etc/shop.cfg": _HAPROXY}),
    _honest("postgres", "a database that makes itself at its first start", "postgresql-15", "/start",
            {"start": _POSTGRES}, User="1000:1000", for_s=12.0),
    _honest("sqlite", "an application with its database in a file", "python3", "python3 /srv/app.py",
            {"srv/app.py": _SQLITE_APP}),
    _honest("redis", "a cache", "redis-server", "redis-server --save 1 1 --dir /tmp"),
    _honest("memcached", "a cache", "memcached", "memcached", User="1000:1000"),
    _honest("ci", "a CI job: clones, builds, runs what it built, and a script of its own", "git make gcc libc6-dev",
            "/start", {"start": _CI, "srv/project/hello.c": _C_PROGRAM, "srv/project/Makefile": _MAKEFILE}, for_s=10.0),
    _honest("compiler", "a compiler: makes a program and a library, and runs them", "gcc libc6-dev", "/start",
            {"start": _COMPILER, "srv/hello.c": _C_PROGRAM, "srv/answer.c": _C_LIBRARY}, for_s=10.0),
    Behaviour("cron-worker", "a worker that writes its cron table and becomes cron", _cron),
    _honest("web-app", "a Python web application that checks its health", "python3", "python3 /srv/app.py",
            {"srv/app.py": _WEB_APP}),
    _honest("batch", "a batch job that takes all the processor there is", "", "/start", {"start": _BATCH}),
    _honest("mailer", "a client of a mail relay", "python3", "python3 /srv/app.py", {"srv/app.py": _MAILER}),
    _honest("api-client", "a client of an HTTPS API; its header is made with base64", "curl", "/start",
            {"start": _API_CLIENT}),
    _honest("backup", "a backup that is packed, tested and sent away", "curl", "/start", {"start": _BACKUP}),
    _honest("shards", "a client of thirty servers of one network", "python3", "python3 /srv/app.py",
            {"srv/app.py": _SHARDS}),
    _honest("s3", "a client of the cloud that reads the cloud's key", "python3 openssl", "python3 /srv/app.py",
            {"srv/app.py": _S3}),
    _honest("ssh", "a client of SSH that reads its private key", "openssh-client", "/start", {"start": _SSH}),
    Behaviour("installs", "an entrypoint that installs a package and runs it", _installs, for_s=6.0),
)  # fmt: skip
