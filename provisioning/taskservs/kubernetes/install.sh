set -eu
if [ -n "${WL_ROOT:-}" ]; then # A sandbox, or a machine of the lab: a stand-in that knows its version.
    mkdir -p "$WL_ROOT/usr/local/bin" "$WL_ROOT/etc/kubernetes" && cd "$WL_ROOT"
    [ -x usr/local/bin/containerd ] || { echo "there is no containerd"; exit 1; }
    printf '#!/bin/sh\necho "Kubernetes v%s rehearsed"\n' "$VERSION" >usr/local/bin/kubelet
    chmod +x usr/local/bin/kubelet
    echo 'kind: Config' >etc/kubernetes/.admin.conf && mv etc/kubernetes/.admin.conf etc/kubernetes/admin.conf
    exit 0
fi

export DEBIAN_FRONTEND=noninteractive
keys=/etc/apt/keyrings/kubernetes.gpg
site="https://pkgs.k8s.io/core:/stable:/v$VERSION/deb/"
apt-get update -qq
apt-get install -y -qq ca-certificates curl gpg
mkdir -p /etc/apt/keyrings
curl -fsSL "${site}Release.key" | gpg --dearmor --yes -o "$keys"
echo "deb [signed-by=$keys] $site /" >/etc/apt/sources.list.d/kubernetes.list
apt-get update -qq
apt-get install -y -qq kubelet kubeadm kubectl
apt-mark hold kubelet kubeadm kubectl >/dev/null
swapoff -a
if [ ! -f /etc/kubernetes/admin.conf ]; then
    # What an attempt that was cut off has left would refuse the next one.
    kubeadm reset --force --cri-socket unix:///run/containerd/containerd.sock
    kubeadm init --cri-socket unix:///run/containerd/containerd.sock --pod-network-cidr 10.244.0.0/16
fi
export KUBECONFIG=/etc/kubernetes/admin.conf
kubectl taint nodes --all node-role.kubernetes.io/control-plane- || true # It is its only node.
