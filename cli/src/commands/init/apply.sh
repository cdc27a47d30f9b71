#!/bin/sh
# The service of this container. It is sent into the guest with everything beside it and run there
# as root whenever one of these files changes; running it twice changes nothing.
set -eu

install -d -m 755 /srv/web
install -m 644 page.html /srv/web/index.html

cat >/etc/systemd/system/web.service <<'UNIT'
[Unit]
Description=A page for the world
After=network.target

[Service]
ExecStart=/usr/bin/python3 -m http.server 80 --directory /srv/web
DynamicUser=yes
AmbientCapabilities=CAP_NET_BIND_SERVICE
Restart=on-failure

[Install]
WantedBy=multi-user.target
UNIT

systemctl daemon-reload
systemctl enable --quiet web.service
systemctl restart web.service
