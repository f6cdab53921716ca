set -eu
if [ -n "${WL_ROOT:-}" ]; then # A sandbox, or a machine of the lab: a stand-in that knows its version.
    mkdir -p "$WL_ROOT/usr/local/bin" "$WL_ROOT/etc/containerd" && cd "$WL_ROOT"
    echo 'SystemdCgroup = true' >etc/containerd/config.toml
    printf '#!/bin/sh\necho "containerd rehearsed"\n' >usr/local/bin/.containerd
    chmod +x usr/local/bin/.containerd && mv usr/local/bin/.containerd usr/local/bin/containerd
    exit 0
fi

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq containerd
printf 'overlay\nbr_netfilter\n' >/etc/modules-load.d/containerd.conf
modprobe -a overlay br_netfilter
printf 'net.ipv4.ip_forward = 1\nnet.bridge.bridge-nf-call-iptables = 1\nnet.bridge.bridge-nf-call-ip6tables = 1\n' \
    >/etc/sysctl.d/90-containerd.conf
sysctl --system >/dev/null
mkdir -p /etc/containerd
containerd config default | sed 's/SystemdCgroup = false/SystemdCgroup = true/' >/etc/containerd/config.toml
systemctl enable --quiet containerd
systemctl restart containerd
