"""The nouns of the client for coroutines: the calls of `Client`, each to be awaited or walked."""

from windlass.access import Audit, Keys, Sessions
from windlass.accounts import Accounts
from windlass.aside import Aside, awaited, walked
from windlass.clusters import Clusters
from windlass.locks import Locks
from windlass.managements import Managements
from windlass.metrics import MetricsOf
from windlass.pooled import Workers
from windlass.pools import Pools
from windlass.runs import Runs
from windlass.schedules import Schedules
from windlass.servers import Servers
from windlass.types import Types
from windlass.views import Views
from windlass.vms import Vms
from windlass.webhooks import Webhooks
from windlass.whole import Service


class AsyncRuns(Aside[Runs]):
    """Everything about runs."""

    _made_of = Runs

    list = awaited(Runs.list)
    each = walked(Runs.each)
    get = awaited(Runs.get)
    start = awaited(Runs.start)
    plan = awaited(Runs.plan)
    cancel = awaited(Runs.cancel)
    plan_cancel = awaited(Runs.plan_cancel)
    many = awaited(Runs.many)
    acknowledge = awaited(Runs.acknowledge)
    note = awaited(Runs.note)
    notes = awaited(Runs.notes)
    hooks = awaited(Runs.hooks)
    signals = awaited(Runs.signals)
    export = awaited(Runs.export)
    retry = awaited(Runs.retry)
    plan_retry = awaited(Runs.plan_retry)
    resume = awaited(Runs.resume)
    compensate = awaited(Runs.compensate)
    skip = awaited(Runs.skip)
    resolve = awaited(Runs.resolve)
    pause = awaited(Runs.pause)
    unpause = awaited(Runs.unpause)
    events = walked(Runs.events)
    state = awaited(Runs.state)
    stream = walked(Runs.stream)
    wait = awaited(Runs.wait)


class AsyncServers(Aside[Servers]):
    """Everything about servers."""

    _made_of = Servers

    list = awaited(Servers.list)
    each = walked(Servers.each)
    get = awaited(Servers.get)
    register = awaited(Servers.register)
    plan_register = awaited(Servers.plan_register)
    import_ = awaited(Servers.import_)
    update = awaited(Servers.update)
    trust_certificate = awaited(Servers.trust_certificate)
    set_credential = awaited(Servers.set_credential)
    act = awaited(Servers.act)
    plan = awaited(Servers.plan)
    inspect = awaited(Servers.inspect)
    provision = awaited(Servers.provision)
    power = awaited(Servers.power)
    reboot = awaited(Servers.reboot)
    maintenance = awaited(Servers.maintenance)
    deprovision = awaited(Servers.deprovision)
    decommission = awaited(Servers.decommission)
    plan_decommission = awaited(Servers.plan_decommission)
    provision_from_pool = awaited(Servers.provision_from_pool)


class AsyncPools(Aside[Pools]):
    """Everything about pools."""

    _made_of = Pools

    list = awaited(Pools.list)
    each = walked(Pools.each)
    get = awaited(Pools.get)
    create = awaited(Pools.create)
    update = awaited(Pools.update)
    delete = awaited(Pools.delete)


class AsyncClusters(Aside[Clusters]):
    """Everything about clusters."""

    _made_of = Clusters

    list = awaited(Clusters.list)
    each = walked(Clusters.each)
    get = awaited(Clusters.get)
    create = awaited(Clusters.create)
    plan_create = awaited(Clusters.plan_create)
    scale = awaited(Clusters.scale)
    upgrade = awaited(Clusters.upgrade)
    plan = awaited(Clusters.plan)
    delete = awaited(Clusters.delete)
    plan_delete = awaited(Clusters.plan_delete)


class AsyncVms(Aside[Vms]):
    """Everything about virtual machines."""

    _made_of = Vms

    list = awaited(Vms.list)
    each = walked(Vms.each)
    get = awaited(Vms.get)
    create = awaited(Vms.create)
    plan_create = awaited(Vms.plan_create)
    act = awaited(Vms.act)
    plan = awaited(Vms.plan)
    delete = awaited(Vms.delete)
    plan_delete = awaited(Vms.plan_delete)


class AsyncAccounts(Aside[Accounts]):
    """Everything about accounts at clouds."""

    _made_of = Accounts

    list = awaited(Accounts.list)
    each = walked(Accounts.each)
    get = awaited(Accounts.get)
    create = awaited(Accounts.create)
    update = awaited(Accounts.update)
    delete = awaited(Accounts.delete)
    check = awaited(Accounts.check)


class AsyncManagements(Aside[Managements]):
    """Everything about management clusters."""

    _made_of = Managements

    list = awaited(Managements.list)
    each = walked(Managements.each)
    get = awaited(Managements.get)
    add = awaited(Managements.add)
    update = awaited(Managements.update)
    set_kubeconfig = awaited(Managements.set_kubeconfig)
    forget = awaited(Managements.forget)


class AsyncSchedules(Aside[Schedules]):
    """Everything about schedules."""

    _made_of = Schedules

    list = awaited(Schedules.list)
    each = walked(Schedules.each)
    get = awaited(Schedules.get)
    create = awaited(Schedules.create)
    update = awaited(Schedules.update)
    delete = awaited(Schedules.delete)
    pause = awaited(Schedules.pause)
    unpause = awaited(Schedules.unpause)
    run = awaited(Schedules.run)
    occurrences = walked(Schedules.occurrences)


class AsyncWebhooks(Aside[Webhooks]):
    """Everything about webhooks."""

    _made_of = Webhooks

    list = awaited(Webhooks.list)
    each = walked(Webhooks.each)
    get = awaited(Webhooks.get)
    create = awaited(Webhooks.create)
    update = awaited(Webhooks.update)
    delete = awaited(Webhooks.delete)
    rotate = awaited(Webhooks.rotate)
    test = awaited(Webhooks.test)
    deliveries = walked(Webhooks.deliveries)
    redeliver = awaited(Webhooks.redeliver)


class AsyncWorkers(Aside[Workers]):
    """Everything about workers."""

    _made_of = Workers

    list = awaited(Workers.list)
    queues = awaited(Workers.queues)
    drain = awaited(Workers.drain)
    resume = awaited(Workers.resume)


class AsyncViews(Aside[Views]):
    """Views of whoever holds the key."""

    _made_of = Views

    list = awaited(Views.list)
    save = awaited(Views.save)
    delete = awaited(Views.delete)


class AsyncLocks(Aside[Locks]):
    """Everything about locks."""

    _made_of = Locks

    list = walked(Locks.list)
    release = awaited(Locks.release)


class AsyncTypes(Aside[Types]):
    """Everything about types."""

    _made_of = Types

    list = awaited(Types.list)
    get = awaited(Types.get)
    pause = awaited(Types.pause)
    resume = awaited(Types.resume)


class AsyncMetrics(Aside[MetricsOf]):
    """How many runs ended how, and how long they took."""

    _made_of = MetricsOf

    get = awaited(MetricsOf.get)


class AsyncKeys(Aside[Keys]):
    """Everything about API keys."""

    _made_of = Keys

    list = awaited(Keys.list)
    get = awaited(Keys.get)
    create = awaited(Keys.create)
    revoke = awaited(Keys.revoke)


class AsyncSessions(Aside[Sessions]):
    """Everything about sessions of the console."""

    _made_of = Sessions

    list = walked(Sessions.list)
    end = awaited(Sessions.end)


class AsyncService(Aside[Service]):
    """The service as a whole."""

    _made_of = Service

    search = awaited(Service.search)
    about = awaited(Service.about)
    doctor = awaited(Service.doctor)


class AsyncAudit(Aside[Audit]):
    """Who changed what."""

    _made_of = Audit

    list = awaited(Audit.list)
    each = walked(Audit.each)
