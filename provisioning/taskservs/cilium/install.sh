set -eu
if [ -n "${WL_ROOT:-}" ]; then # A sandbox, or a machine of the lab: a stand-in that knows its version.
    mkdir -p "$WL_ROOT/usr/local/bin" "$WL_ROOT/etc/cni/net.d" && cd "$WL_ROOT"
    [ -f etc/kubernetes/admin.conf ] || { echo "there is no cluster"; exit 1; }
    printf '#!/bin/sh\necho "cilium %s rehearsed"\n' "$VERSION" >usr/local/bin/cilium
    chmod +x usr/local/bin/cilium
    echo '{}' >etc/cni/net.d/.new && mv etc/cni/net.d/.new etc/cni/net.d/05-cilium.conflist
    exit 0
fi

export KUBECONFIG=/etc/kubernetes/admin.conf
case $(uname -m) in aarch64) arch=arm64 ;; *) arch=amd64 ;; esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
site=https://github.com/cilium/cilium-cli/releases/download/v0.18.7
curl -fsSLO "$site/cilium-linux-$arch.tar.gz" -O "$site/cilium-linux-$arch.tar.gz.sha256sum"
sha256sum --check --quiet "cilium-linux-$arch.tar.gz.sha256sum"
tar -xzf "cilium-linux-$arch.tar.gz" -C /usr/local/bin cilium
cilium version --client >/dev/null
kubectl -n kube-system get daemonset cilium >/dev/null 2>&1 || cilium install --version "$VERSION"
cilium status --wait --wait-duration 5m
