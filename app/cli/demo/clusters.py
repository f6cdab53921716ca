"""The other acts: two machines become a Kubernetes cluster, one cluster is undone, a machine is virtual.

They play in the lab's management cluster, whose controllers act like k0rdent and KubeVirt.
"""

from app.cli.demo.stage import IMAGE, TAG, Stage
from app.cli.demo.watching import somebody_else

TEMPLATE, CREDENTIAL, NEXT = "remote-cluster-1-0-12", "lab-credential", "1.32"
ONE_NODE = {"controlPlaneNumber": 1}  # Of the control plane; the workers are servers.


def clear(stage: Stage) -> None:
    """Delete the virtual machines and clusters that an earlier performance left behind."""
    client = stage.client
    for vm in client.vms.each(tag=TAG):
        stage.give_up(vm.id)
        stage.see(f"delete {vm.name}, known from before", client.vms.delete(vm.id).run_id)
    for cluster in client.clusters.each(tag=TAG):
        stage.give_up(cluster.id)
        stage.see(f"delete {cluster.name}, known from before", client.clusters.delete(cluster.id).run_id)


def play(stage: Stage) -> None:
    """All of it, on the servers that the first acts left installed."""
    management, pool = prepared(stage)
    cluster = a_cluster(stage, management, pool)
    failed = failure_is_undone(stage, management, pool)
    vm = a_virtual_machine(stage, management)
    somebody_else(stage, management)
    stage.headline("8. All of it is deleted")
    stage.see("delete the machine", stage.client.vms.delete(vm).run_id)
    for cluster_id in (failed, cluster):
        stage.see("delete a cluster", stage.client.clusters.delete(cluster_id).run_id)
    stage.say(f"{_free(stage, pool)} servers of the pool are free again.")


def prepared(stage: Stage) -> tuple[str, str]:
    """The management cluster and the pool that these acts play in, known from before or made."""
    return _management(stage), _pool(stage)


def a_cluster(stage: Stage, management: str, pool: str) -> str:
    """On two servers of a pool; then one is given back, and Kubernetes is upgraded."""
    stage.headline("4. A Kubernetes cluster on the two servers of a pool: made, scaled, upgraded")
    clusters = stage.client.clusters
    accepted = clusters.create(
        name=f"demo-{stage.stamp}",
        management_id=management,
        template=TEMPLATE,
        credential=CREDENTIAL,
        config=ONE_NODE,
        node_pools=[{"poolId": pool, "count": 2, "image": IMAGE}],
        tags=[TAG],
    )
    cluster_id = accepted.resource.id
    stage.see("create a cluster", accepted.run_id)
    made = clusters.get(cluster_id)
    stage.say(f"It is {made.state}, Kubernetes {made.kubernetes_version}, on {', '.join(made.servers)}.")
    stage.see("scale to one worker", clusters.scale(cluster_id, workers=1).run_id)
    stage.say(f"{_free(stage, pool)} of the servers is wiped and free.")
    stage.see("upgrade", clusters.upgrade(cluster_id, kubernetes_version=NEXT).run_id)
    stage.say(f"It runs Kubernetes {clusters.get(cluster_id).kubernetes_version} now.")
    return cluster_id


def failure_is_undone(stage: Stage, management: str, pool: str) -> str:
    """A server is installed for nothing: it is given back when the cluster on it cannot be built."""
    stage.headline("5. A cluster that cannot be built is undone, and its server is free again")
    name = f"demo-broken-{stage.stamp}"
    stage.lab.fail_cluster(name, "no capacity left")
    stage.say("In the lab, whatever is called so cannot be built.")
    accepted = stage.client.clusters.create(
        name=name,
        management_id=management,
        template=TEMPLATE,
        credential=CREDENTIAL,
        config=ONE_NODE,
        node_pools=[{"poolId": pool, "count": 1, "image": IMAGE}],
        tags=[TAG],
        on_failure="compensate",
    )
    run = stage.see("create a cluster", accepted.run_id, expected="failed")
    stage.tell_failure(run)
    stage.tell_undone(run)
    stage.say(f"{_free(stage, pool)} of the servers is free.")
    return accepted.resource.id


def a_virtual_machine(stage: Stage, management: str) -> str:
    """Made, stopped, started again."""
    stage.headline("6. A virtual machine: made, stopped, started")
    vms = stage.client.vms
    accepted = vms.create(
        name=f"demo-{stage.stamp}",
        management_id=management,
        cpus=2,
        memory_mb=2048,
        disks=[{"source": "docker://quay.io/containerdisks/debian:12", "boot": True}],
        tags=[TAG],
    )
    vm_id = accepted.resource.id
    stage.see("create a machine", accepted.run_id)
    for action in ("stop", "start"):
        stage.see(action, vms.act(vm_id, action).run_id)
        stage.say(f"The machine is {vms.get(vm_id).state}.")
    return vm_id


def _management(stage: Stage) -> str:
    """The lab's management cluster; one that is known from before may have another certificate by now."""
    kubeconfig = stage.lab.kubeconfig()
    for known in stage.client.managements.each():
        if known.name == "lab":
            stage.client.managements.set_kubeconfig(known.id, kubeconfig)
            return known.id
    return stage.client.managements.add("lab", kubeconfig).id


def _pool(stage: Stage) -> str:
    """A pool of the machines that are installed; they are given back first."""
    pools = {pool.name: pool.id for pool in stage.client.pools.each()}
    pool_id = pools.get(TAG) or stage.client.pools.create(TAG).id
    servers = [stage.client.servers.get(server_id) for server_id in stage.servers.values()]
    installed = [server.id for server in servers if server.state == "provisioned"]
    for server_id in installed:
        stage.client.servers.update(server_id, pool_id=pool_id)
    runs = [stage.client.servers.deprovision(server_id).run_id for server_id in installed]
    for run_id in runs:
        stage.see("give back", run_id)
    return pool_id


def _free(stage: Stage, pool_id: str) -> int:
    capacity = stage.client.pools.get(pool_id).capacity
    return capacity.free if capacity else 0
