#!/bin/sh
# Makes this container a web server. Runs as root in the guest, in a copy of this folder, with the
# fleet's and the container's variables in its environment; running it twice changes nothing.
set -eu

id web >/dev/null 2>&1 || useradd --system --home-dir /srv/web --shell /usr/sbin/nologin web
mkdir -p /srv/web

# `$SITE` comes from `VARS` in config.env.
sed "s/@SITE@/$SITE/" files/index.html >/srv/web/index.html.new
mv /srv/web/index.html.new /srv/web/index.html
chmod 0644 /srv/web/index.html

if ! cmp -s files/web.service /etc/systemd/system/web.service; then
  install -m 0644 files/web.service /etc/systemd/system/web.service
  systemctl daemon-reload
  systemctl restart web.service
fi
systemctl --quiet enable --now web.service
echo "web: $SITE is served"
