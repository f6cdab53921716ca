# Batches of Windlass from Nushell: thin calls of its REST interface.
# WINDLASS_URL and WINDLASS_API_KEY say where and as whom; `windlass batch` does the same.

def base [] { $"($env.WINDLASS_URL? | default 'http://127.0.0.1:8080' | str trim --right --char '/')/v1/workflows/batch" }

def heads [...more: string] {
    let key = ($env.WINDLASS_API_KEY? | default '')
    if ($key | is-empty) { $more } else { [...$more Authorization $"Bearer ($key)"] }
}

# The data of an answer; what was refused becomes an error with the service's own words.
def data [answer: record] {
    if $answer.status >= 400 {
        let body = $answer.body
        let said = ($body | describe | str starts-with 'record')
        error make --unspanned { msg: (if $said { $"($body.error? | default $body.detail?) [($body.code? | default $answer.status)]" } else { $"The service answered with status ($answer.status)" }) }
    }
    $answer.body.data
}

# Those of the given members that say something.
def given [members: record] { $members | transpose name value | where {|one| $one.value != null } }

# Submit the batch of a Nickel file.
export def "batch submit" [
    file: path          # the definition
    --dry-run           # only show what would be done
    --key: string       # a second submit with the same key answers the first batch
] {
    let idempotency = (if ($key | is-empty) { [] } else { [Idempotency-Key $key] })
    let url = $"(base)/submit(if $dry_run { '?dry_run=true' } else { '' })"
    data (http post --full --allow-errors --content-type text/x-nickel --headers (heads ...$idempotency) $url (open --raw $file | into string))
}

# List batches, the newest first.
export def "batch list" [
    --status: string    # for example Running
    --name: string
    --limit: int = 50
    --offset: int = 0
] {
    let asked = (given {status: $status, name: $name, limit: $limit, offset: $offset})
    let query = ($asked | each {|one| $"($one.name)=($one.value | into string | url encode)" } | str join '&')
    data (http get --full --allow-errors --headers (heads) $"(base)?($query)")
}

# One batch with its operations.
export def "batch status" [id: string] {
    data (http get --full --allow-errors --headers (heads) $"(base)/($id)")
}

# Follow a batch to its end. What changes is printed; the result is the last progress.
export def "batch monitor" [
    id: string
    --every: duration = 1sec   # between two looks
    --patience: int = 60       # looks without an answer before it gives up: an API that is restarted is waited for
] {
    mut seen = ''
    mut missed = 0
    loop {
        let answer = (try { http get --full --allow-errors --headers (heads) $"(base)/($id)/progress" } catch { null })
        if $answer == null or $answer.status in [502 503 504] {
            $missed = $missed + 1
            if $missed > $patience { error make --unspanned { msg: $"The service at (base) does not answer" } }
        } else {
            $missed = 0
            let now = (data $answer)
            let line = $"($now.status)  ($now.percent) %  ($now.completed_operations)/($now.total_operations) operations"
            if $line != $seen { print $line; $seen = $line }
            if $now.status not-in [Pending Running RollingBack] { return $now }
        }
        sleep $every
    }
}

# Undo what a batch did.
export def "batch rollback" [
    id: string
    --to: string                # a checkpoint: undo only what completed after it
    --only: list<string> = []   # these operations
    --force                     # although rollback is disabled, or others build on it
    --dry-run                   # only show what would be undone
] {
    let asked = (given {
        checkpoint_id: $to
        operations: (if ($only | is-empty) { null } else { $only })
        force: (if $force { true } else { null })
        dry_run: (if $dry_run { true } else { null })
    })
    let body = ($asked | reduce --fold {} {|one, made| $made | insert $one.name $one.value })
    data (http post --full --allow-errors --content-type application/json --headers (heads) $"(base)/($id)/rollback" $body)
}

# Figures of all batches.
export def "batch stats" [] { data (http get --full --allow-errors --headers (heads) $"(base)/stats") }
