set -eu
if [ -n "${WL_ROOT:-}" ]; then
    rm -rf "$WL_ROOT/usr/local/bin/containerd" "$WL_ROOT/etc/containerd"
    exit 0
fi

export DEBIAN_FRONTEND=noninteractive
systemctl disable --quiet --now containerd || true
apt-get purge -y -qq containerd
apt-get autoremove -y -qq --purge
rm -rf /etc/containerd /etc/modules-load.d/containerd.conf /etc/sysctl.d/90-containerd.conf
