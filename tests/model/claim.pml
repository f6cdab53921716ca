/* Claim, lease, fence, generation, version and reconciler of one run, for Spin.

   One run has two steps, 0 and 1, and their undos, 2 and 3. Workers, the reconciler, Celery's error callback
   and a client act on committed rows; each transaction is one atomic block, as the lock of the run's row
   makes it. The broker is a bag: messages come in any order, late, twice or not at all. A message that a worker holds
   is still in the bag, so that taking and claiming are one block, as are committing and publishing.
   Between two blocks a worker may have died or freeze; docs/engine.rst says what this shows and what not.

   Switches (-D) that take one safeguard away each: NO_FENCE, NO_VERSION, VERSION_IS_FENCE, NO_GENERATION,
   NO_OBSERVATION, NO_BUDGET, NO_REPUBLISH, NO_RECONCILER, PUBLISH_FIRST, CALLBACK_DECIDES, UNDO_ALL
   and UNDO_DONE_ONLY. NO_FAULTS leaves out all trouble. ENDS asks whether every run ends, NEVER=status whether
   none is ever so; ONCE claims that no effect happens twice; STALE_IS_WELL is silent about stale results. */

#define NONE 255
#define KEYS 4
#ifndef WORKERS
#define WORKERS 2
#endif
#define TRIES 2                    /* Attempts that the retry policy allows. */
#define DEATHS 2                   /* Lost workers after which a step is poison. */
#ifdef NO_FAULTS
#define MISHAPS 0
#elif !defined(MISHAPS)
#define MISHAPS 1                  /* Messages lost, doubled, needless, forestalled; callbacks, cancels. */
#endif

mtype:step = { absent, pending, busy, retry_wait, done, broken, given_up };
mtype:life = { running, cancelling, compensating, needs_operator, completed, failed, cancelled };
mtype:ending = { well, again, for_good };

/* -------------------------------------------------------------------------------------------- the rows */

typedef Step {
  mtype:step status;
  bit maybe;                       /* Its outcome is "done" or "unknown": it may have happened. */
  bit unsure;                      /* And so may an earlier attempt. */
  byte fence;                      /* Who holds it: all that the numbers of claims are for. */
  byte tries;
  byte lost
}
Step step[KEYS];
mtype:life status = running;
bit expected;                      /* A message is in flight, or ought to be. */
bit cancel_wanted;

/* -------------------------------------------------------------------------- the workers and the broker */

typedef Worker {
  bit renewing;                     /* It renews the lease of the step that it holds. */
  bit fresh;                       /* The run's version is that of the claim: nothing else has happened. */
  bit current;                     /* The chain that it carries on is of the newest generation. */
  bit seen;                        /* Observation says that an earlier attempt took effect. */
  mtype:ending how;
  byte key
}
Worker worker[WORKERS];

byte newest[KEYS];                 /* Messages of the newest generation, by step. */
byte older = NONE;               /* The step that a message of an older generation names. */
byte mishaps = MISHAPS;

/* -------------------------------------------------- what really happened, whatever the rows say about it */

bit applied[2];                    /* A forward step has had an effect on the world; */
bit proper[2];                     /* it was made by the step's true holder, */
bit standing[2];                   /* and was not undone. */
bit begun[KEYS];                   /* A body was started. */
bit recorded[KEYS];                /* A result was stored. */
bit carried[KEYS];                 /* A chain has sent the link of this step. */
bit doubled;                       /* A message was doubled. */
bit turned_back;                   /* Compensation was decided. */

hidden byte i;                     /* These are of use within one block only. */
hidden byte next;
hidden byte raised;
hidden byte named;

/* Whether a run ends does not depend on what is never read: ENDS does without. */
#ifdef ENDS
#define WITNESS(what) skip
#define CHECK(what) skip
#else
#define WITNESS(what) what
#define CHECK(what) assert(what)
#endif

/* ------------------------------------------------------------------------------------------- questions */

#define over (status == completed || status == failed || status == cancelled)
#define forward(k) (k < 2)
#define holds(w, k) (worker[w].key == k && step[k].fence == w && step[k].status == busy)
#define no_message (newest[0] + newest[1] + newest[2] + newest[3] == 0 && older == NONE)
#define found(state) (step[0].status == state || step[1].status == state || step[2].status == state \
  || step[3].status == state)
#define one(state) (step[0].status == state -> 0 : (step[1].status == state -> 1 : \
  (step[2].status == state -> 2 : 3)))  /* At most one step is ever busy, or waits for its retry. */
#define ready(k) (step[k].status == pending && ((k == 0 && status == running) \
  || (k == 1 && status == running && step[0].status == done) || (k == 3 && status == compensating) \
  || (k == 2 && status == compensating && (step[3].status == absent || step[3].status == done))))
#define awaited (status == compensating -> (ready(3) -> 3 : 2) : (ready(0) -> 0 : 1))
#define my worker[me]

/* ------------------------------------------------------------------------------------------ safeguards */

#ifdef NO_GENERATION
#define GENERATION true
#else
#define GENERATION my.current
#endif
#if defined(NO_VERSION)
#define VERSION true
#elif defined(VERSION_IS_FENCE)
#define VERSION holds(me, my.key)
#else
#define VERSION my.fresh
#endif
#ifdef NO_FENCE
#define FENCE true
#else
#define FENCE holds(me, my.key)
#endif
#ifdef NO_OBSERVATION
#define OBSERVED(k) false
#else
#define OBSERVED(k) (forward(k) && step[k].maybe && applied[k])
#endif
#if defined(UNDO_ALL)
#define UNDOABLE(k) true
#elif defined(UNDO_DONE_ONLY)
#define UNDOABLE(k) (step[k].status == done)
#else
#define UNDOABLE(k) step[k].maybe
#endif

/* --------------------------------------------------------- pieces of transactions, within atomic blocks */

/* An event raises the run's version. */
inline event() {
  for (i : 0 .. WORKERS - 1) { worker[i].fresh = 0 }
}

/* Expect a message under a new generation: all others are old from now on. */
inline raise_generation() {
  expected = 1;
  raised = 1;
  for (i : 0 .. KEYS - 1) {
    older = (newest[i] -> i : older);
    newest[i] = 0
  }
  for (i : 0 .. WORKERS - 1) { worker[i].current = 0 }
}

/* Publish after the commit; or die in between, or be published in vain. */
inline publish(n, is_current) {
  if
  :: n == NONE
  :: n != NONE && is_current -> newest[n] = (newest[n] < 2 -> newest[n] + 1 : 2)
  :: n != NONE && !is_current -> older = n
  :: n != NONE && mishaps > 0 -> mishaps--
  fi
}

inline finish(how) {
  CHECK(!over);  /* A run ends once. */
  CHECK(how != completed || (recorded[0] && recorded[1] && !turned_back));
  CHECK(how == completed || (!standing[0] && !standing[1]));  /* What may have happened is undone. */
  status = how;
  expected = 0
}

inline finish_stopped() {
  if
  :: cancel_wanted -> finish(cancelled)
  :: else -> finish(failed)
  fi
}

/* Compensation begins: an undo for each step that may have happened; the newest one's is next. */
inline stop() {
  CHECK(cancel_wanted || step[0].status == broken || step[1].status == broken);
  CHECK(!found(busy));
  WITNESS(turned_back = 1);
  next = NONE;
  for (i : 0 .. 1) {
    step[i].status = (step[i].status == retry_wait -> given_up : step[i].status);
    if
    :: UNDOABLE(i) ->
      CHECK(begun[i]);  /* Nothing is undone that was never started. */
      step[2 + i].status = pending;
      next = 2 + i
    :: else
    fi
  }
  if
  :: next != NONE -> status = compensating; raise_generation()
  :: else -> finish_stopped()
  fi
}

inline give_up(n) {
  step[n].status = broken;
  close(n);
  next = NONE;
  if
  :: forward(n) -> stop()
  :: else -> status = needs_operator; expected = 0
  fi
}

/* T2: attempt, fence and lease are committed before the body starts; a second attempt observes first. */
inline claim(n) {
  CHECK(!forward(n) || (!turned_back && !cancel_wanted));  /* Nothing starts once a run compensates. */
  CHECK(n != 1 || recorded[0]);  /* In order, */
  CHECK(n != 2 || step[3].status == absent || recorded[3]);  /* and back in reverse. */
  my.seen = OBSERVED(n);
  step[n].unsure = step[n].maybe;
  step[n].maybe = 1;
  step[n].status = busy;
  step[n].fence = me;
  step[n].tries++;
  WITNESS(begun[n] = 1);
  expected = 0;
  event();
  my.renewing = 1;
  my.fresh = 1;
  my.key = n
}

/* What is never asked for again is forgotten, which keeps the number of states small. */
inline close(n) {
  step[n].tries = 0;
  step[n].lost = 0;
  step[n].fence = 0;
  step[n].unsure = 0;
  WITNESS(carried[n] = 0)
}

/* T3: a result is stored; then comes the next step of its branch. */
inline store(n) {
  CHECK(!recorded[n]);  /* An outcome is recorded once. */
  WITNESS(recorded[n] = 1);
  step[n].status = done;
  close(n);
  next = NONE;
  if
  :: status == cancelling -> stop()
  :: status == running && n == 0 -> next = 1
  :: status == running && n == 1 -> finish(completed)
  :: n == 3 && step[2].status == pending -> next = 2
  :: n == 2 || (n == 3 && step[2].status == absent) -> finish_stopped()
  fi
}

/* T3: a body has failed; it is tried again, or its run compensates. */
inline fail(n) {
  next = NONE;
  if
  :: my.how == again && step[n].tries < TRIES && status != cancelling ->
    step[n].status = retry_wait;
    step[n].unsure = 1
  :: else ->
    step[n].maybe = (my.how != for_good || step[n].unsure);
    give_up(n)
  fi
}

/* A worker died or fell silent: the outcome is unknown; publish again, or give up. */
inline lose(n) {
  worker[step[n].fence].renewing = 0;
  worker[step[n].fence].current = 0;
  worker[step[n].fence].how = well;
  step[n].unsure = 1;
  step[n].tries--;
#ifndef NO_BUDGET
  step[n].lost++;
#endif
  event();
  if
  :: step[n].lost >= DEATHS || status == cancelling -> give_up(n)
  :: else -> step[n].status = pending; next = n; raise_generation()
  fi;
  publish(next, 1)
}

/* What a body does to the world. */
inline effect(n) {
  if
  :: forward(n) ->
#ifdef ONCE
    CHECK(!applied[n]);
#endif
    WITNESS(applied[n] = 1);
    if
    :: holds(me, n) ->
      CHECK(!proper[n]);  /* The holder of a step never repeats its effect. */
      WITNESS(proper[n] = 1);
      WITNESS(standing[n] = 1)
    :: else
    fi
  :: else -> WITNESS(standing[n - 2] = 0)
  fi
}

/* ----------------------------------------------------------------------------------------- the workers */

inline forget() {
  my.renewing = 0;
  my.fresh = 0;
  my.current = 0;
  my.key = 0;
  my.seen = 0;
  my.how = well
}

/* The chain sends its next link. */
inline carry_on() {
#ifndef PUBLISH_FIRST
  if
  :: next != NONE ->
    CHECK(!carried[next] || doubled);  /* No second chain is alive. */
    WITNESS(carried[next] = 1)
  :: else
  fi;
  publish(next, my.current);
#endif
  forget()
}

#define MESSAGE(k) \
  :: newest[k] > 0 -> newest[k]--; named = k; my.current = 1 \
  :: newest[k] > 0 && mishaps > 0 -> mishaps--; WITNESS(doubled = 1); named = k; my.current = 1

#ifdef NO_FAULTS
#define TROUBLE skip
#else
#define TROUBLE \
  if \
  :: true \
  :: my.renewing = 0  /* It goes on at some time, perhaps when its lease is over, */ \
  :: forget(); goto idle  /* or it has died. */ \
  fi
#endif

/* Before a link returns, it may go on with what waits, without its message: no chain is carried then. */
#define RETURN \
  forget(); \
  if \
  :: true -> goto idle \
  :: expected && ready(awaited) && mishaps > 0 -> \
    mishaps--; named = awaited; claim(named); TROUBLE; goto body \
  fi

proctype Work(byte me) {
idle:
end:
  atomic {
    if
    MESSAGE(0)
    MESSAGE(1)
    MESSAGE(2)
    MESSAGE(3)
    :: older != NONE -> named = older; older = NONE
    fi;
    if
    :: ready(named) && GENERATION -> claim(named)
    :: step[named].status == done && GENERATION ->  /* Passed: the chain goes on. */
      next = (named == 0 -> 1 : (named == 3 && step[2].status != absent -> 2 : NONE));
      carry_on();
      goto idle
    :: else -> forget(); goto idle  /* Dropped. */
    fi;
    TROUBLE
  }

body:
  atomic {
    my.renewing = holds(me, my.key);
    if
    :: my.seen -> my.seen = 0
    :: !my.seen -> effect(my.key)
#ifndef NO_FAULTS
    :: !my.seen && holds(me, my.key) -> effect(my.key); my.how = again  /* And seems to have failed. */
    :: !my.seen && holds(me, my.key) -> my.how = again
    :: !my.seen && holds(me, my.key) && forward(my.key) -> my.how = for_good  /* It did nothing. */
#endif
    fi;
#ifdef PUBLISH_FIRST
    if
    :: my.key == 0 && my.how == well -> publish(1, my.current)
    :: else
    fi;
#endif
    TROUBLE
  }

  atomic {
    if
    :: my.how == well && VERSION ->  /* One guarded write on what was claimed, */
      status = (forward(my.key) -> running : compensating)
    :: !(my.how == well && VERSION) && FENCE  /* or a decision under the run's lock. */
    :: else -> RETURN  /* Fenced: it comes too late. */
    fi;
#ifndef STALE_IS_WELL
    CHECK(holds(me, my.key));  /* No stale holder's result is stored. */
#endif
    event();
    raised = 0;
    if
    :: my.how == well -> store(my.key)
    :: else -> fail(my.key)
    fi;
    if
    :: next == NONE || raised -> publish(next, 1); RETURN
    :: next != NONE && !raised && my.current -> expected = 1; carry_on(); RETURN  /* The next link. */
    :: next != NONE && !raised && !my.current -> raise_generation(); publish(next, 1); RETURN
    :: next != NONE && !raised -> claim(next); TROUBLE; goto body  /* T23: same segment. */
    fi
  }
}

/* ---------------------------------------------------------------------------------- all other processes */

inline wake(n) {
  step[n].status = pending;
  event();
  raise_generation();
  publish(n, 1)
}

/* T10: publish again for a run for which a message is expected. */
inline redispatch() {
  next = awaited;
  CHECK(ready(next));
  raise_generation();
  publish(next, 1)
}

proctype Reconcile() {
end:
  do
  :: atomic { found(busy) && !worker[step[one(busy)].fence].renewing -> named = one(busy); lose(named) }
  :: atomic { found(retry_wait) -> named = one(retry_wait); wake(named) }
#ifndef NO_REPUBLISH
  :: atomic { expected && no_message -> redispatch() }
  :: atomic { expected && mishaps > 0 -> mishaps--; redispatch() }  /* The queue is only long. */
#endif
  od
}

/* It comes for workers that died and for some that live; or it does not come. */
proctype Callback() {
end:
  do
#ifdef CALLBACK_DECIDES
  :: atomic { status == running && !found(busy) && mishaps > 0 -> mishaps--; stop(); publish(next, 1) }
#endif
  :: atomic { found(busy) && mishaps > 0 -> mishaps--; named = one(busy); lose(named) }
  od
}

inline accept() {
  step[0].status = pending;
  step[1].status = pending;
  step[2].status = absent;
  step[3].status = absent;
  expected = 1;
  publish(0, 1)
}

inline cancel() {
  cancel_wanted = 1;
  event();
  if
  :: found(busy) -> status = cancelling; expected = 0
  :: else -> stop(); publish(next, 1)
  fi
}

init {
  atomic {
    accept();
    for (i : 0 .. WORKERS - 1) { worker[i].how = well; run Work(i) }
#ifndef NO_RECONCILER
    run Reconcile();
#endif
#ifndef NO_FAULTS
    run Callback()
#endif
  }
  if
  :: true
  :: atomic { status == running && mishaps > 0 -> mishaps--; cancel() }
  fi
}

#ifdef ENDS
ltl ends { <> (over || status == needs_operator) }
#endif
#ifdef NEVER
ltl never_so { [] (status != NEVER) }
#endif
