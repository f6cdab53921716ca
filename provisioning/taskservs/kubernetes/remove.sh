set -eu
if [ -n "${WL_ROOT:-}" ]; then
    rm -rf "$WL_ROOT/usr/local/bin/kubelet" "$WL_ROOT/etc/kubernetes"
    exit 0
fi

export DEBIAN_FRONTEND=noninteractive
if command -v kubeadm >/dev/null; then
    kubeadm reset --force --cri-socket unix:///run/containerd/containerd.sock
    apt-mark unhold kubelet kubeadm kubectl >/dev/null
    apt-get purge -y -qq kubelet kubeadm kubectl
fi
rm -rf /etc/kubernetes /etc/cni/net.d /var/lib/etcd /etc/apt/sources.list.d/kubernetes.list /etc/apt/keyrings/kubernetes.gpg
