----------------------------- MODULE LeaseSafe -----------------------------
(* One row of the lease table, without any clock. Any worker may take the row at
   any moment, so that every worker may be a zombie that handles records until it
   learns better. A request may be lost, its answer may be lost, and it may be
   applied long after its sender gave it up (an orphan). What keeps positions
   right must therefore be the conditions of the writes alone.

   The conditions are those of checkpoint/dynamocheckpoint/writes.go, the verdicts
   on a refused or unanswered write those of checkpoint/adopt.go and
   consumer/rowwriter.go, the ends of a tenure those of consumer/lettinggo.go. *)
EXTENDS Naturals, FiniteSets, TLC

CONSTANTS
  Workers,      \* who may hold the lease
  Nobody,       \* none of them: the attribute is absent
  Records,      \* the shard holds the records 1..Records and is closed behind them
  MaxCounter,   \* bounds the writes of one row: state constraint, no behaviour
  MaxOrphans,   \* requests that were given up and are still under way
  MaxSeeks,     \* positions moved by hand
  MaxDeletes,   \* rows deleted by hand
  MaxTakes,     \* takes from a worker that holds the lease
  MaxLosses,    \* answers that never arrive
  HandOver,     \* whether anybody asks for a hand-over
  Mutant        \* "none", or which rule is broken on purpose

VARIABLES
  row,      \* the row of the lease table
  tenure,   \* by worker: its belief that it holds the lease, and how far it is
  request,  \* by worker: the one write of this lease that is under way
  orphans,  \* requests whose sender does not wait any more
  gave,     \* by worker: the counter under which it last tried to give the lease away
  handled,  \* records that a handler has finished
  skipped,  \* records that a seek has jumped over, on demand
  upTo,     \* how far the records of the current acquisition are handled
  epoch,    \* how often the row was made again
  acquired, \* the counter of the last acquisition: the fencing token
  budget,   \* what is left of the faults
  repeated  \* whether a record was handled twice
vars == <<row, tenure, request, orphans, gave, handled, skipped, upTo, epoch, acquired, budget, repeated>>

End == Records + 1               \* SHARD_END: behind every record
Max(a, b) == IF a > b THEN a ELSE b
Block  == 10                     \* a row made again begins its counter at epoch * Block

(* The worker that alone may write the row: shard.Lease.Holder. *)
Holder(r) == IF r.holder # Nobody THEN r.holder ELSE r.owner

Idle   == [on |-> FALSE, phase |-> "none", counter |-> 0, saved |-> 0, done |-> 0, seek |-> 0]
Begun(r) == [on |-> TRUE, phase |-> "work", counter |-> r.counter, saved |-> r.at, done |-> r.at, seek |-> r.seek]
Quiet  == [kind |-> "none"]
NoRow  == [there |-> FALSE]

(* Workers differ in nothing but their names. *)
Symmetry == Permutations(Workers)

Init ==
  /\ row = [there |-> TRUE, owner |-> Nobody, holder |-> Nobody, counter |-> 0, at |-> 0, seek |-> 0]
  /\ tenure = [w \in Workers |-> Idle]
  /\ request = [w \in Workers |-> Quiet]
  /\ orphans = {} /\ gave = [w \in Workers |-> 0]
  /\ handled = {} /\ skipped = {} /\ upTo = 0 /\ epoch = 0 /\ acquired = 0 /\ repeated = FALSE
  /\ budget = [seeks |-> MaxSeeks, deletes |-> MaxDeletes, takes |-> MaxTakes, losses |-> MaxLosses]

-----------------------------------------------------------------------------
(* The conditions and the effects of the writes. *)

(* canWrite: the right to write the position. *)
CanWrite(q, r) ==
  /\ r.there
  /\ CASE Mutant = "nofence"   -> TRUE
       [] Mutant = "owneronly" -> Holder(r) = q.by
       [] OTHER -> r.counter = q.counter /\ r.at = q.prev /\ Holder(r) = q.by

Holds(q, r) ==
  CASE q.kind = "take" ->
         /\ r.there
         /\ Mutant = "takebyowner" \/ r.counter = q.counter
         /\ Mutant = "takebycounter" \/ (r.owner = q.owner /\ r.holder = q.holder)
    [] q.kind \in {"save", "release", "end"} -> CanWrite(q, r)
    [] q.kind \in {"finish", "refuse"} ->
         r.there /\ r.holder = q.by /\ (Mutant = "finishbyholder" \/ r.counter = q.counter)
    [] q.kind = "putback" -> ~r.there /\ epoch = q.counter

Next1(r) == [r EXCEPT !.counter = IF Mutant = "samecounter" THEN @ ELSE @ + 1]
Effect(q, r) ==
  CASE q.kind = "take"    -> [Next1(r) EXCEPT !.owner = q.by, !.holder = Nobody]
    [] q.kind = "save"    -> [Next1(r) EXCEPT !.at = q.pos]
    [] q.kind = "release" -> [Next1(r) EXCEPT !.at = q.pos, !.owner = q.to, !.holder = Nobody]
    [] q.kind = "end"     -> [Next1(r) EXCEPT !.at = End]
    [] q.kind = "finish"  -> [Next1(r) EXCEPT !.at = q.pos, !.holder = Nobody]
    [] q.kind = "refuse"  -> [Next1(r) EXCEPT !.owner = q.by, !.holder = Nobody]
    [] q.kind = "putback" -> [there |-> TRUE, owner |-> q.by, holder |-> Nobody, at |-> q.pos, seek |-> q.seek,
                              counter |-> IF Mutant = "counterback" THEN 0 ELSE (epoch + 1) * Block]

(* A counter that has passed never comes back, so an orphan that names one can do
   nothing any more and need not be remembered. Where a mutant makes counters
   meaningless, all are kept. *)
Alive(q, r) == \/ Mutant \in {"nofence", "owneronly", "takebyowner", "finishbyholder", "samecounter", "counterback"}
               \/ q.kind = "putback" \/ q.counter >= r.counter
Kept(qs, r) == {q \in qs : Alive(q, r)}

(* A write begins a tenure if another worker is the holder afterwards, or if the
   same one got the row anew. *)
Acquires(q) == q.kind \in {"take", "release", "finish", "putback"}

(* What a write does to the table. Ok tells whether its condition held. *)
Write(q, ok) ==
  /\ row' = IF ok THEN Effect(q, row) ELSE row
  /\ epoch' = IF ok /\ q.kind = "putback" THEN epoch + 1 ELSE epoch
  /\ acquired' = IF ok /\ Acquires(q) THEN row'.counter ELSE acquired
  /\ upTo' = IF ~ok THEN upTo ELSE IF Acquires(q) THEN row'.at
             ELSE IF q.by = Holder(row) /\ q.counter >= acquired THEN Max(upTo, row'.at) ELSE upTo

-----------------------------------------------------------------------------
(* What workers send. *)

Room(w) == request[w] = Quiet /\ row.counter < epoch * Block + MaxCounter
Working(w) == tenure[w].on /\ request[w] = Quiet /\ tenure[w].phase \notin {"unsure", "gone"}

Op(w, kind) ==
  [kind |-> kind, by |-> w, counter |-> tenure[w].counter, prev |-> tenure[w].saved,
   pos |-> Max(tenure[w].done, tenure[w].saved), to |-> Nobody, seek |-> tenure[w].seek,
   owner |-> Nobody, holder |-> Nobody, state |-> "sent", answer |-> NoRow]
Send(w, q) == request' = [request EXCEPT ![w] = q]

(* fleet.take. Who may be taken from is said in SessionLease; here anybody may be,
   at any time, as far as the budget goes. *)
Take(w) ==
  /\ Room(w) /\ ~tenure[w].on /\ row.there /\ row.at # End
  /\ Mutant = "takeown" \/ Holder(row) # w
  /\ Holder(row) # Nobody => budget.takes > 0
  /\ budget' = IF Holder(row) = Nobody THEN budget ELSE [budget EXCEPT !.takes = @ - 1]
  /\ Send(w, [Op(w, "take") EXCEPT !.counter = row.counter, !.owner = row.owner, !.holder = row.holder])
  /\ UNCHANGED <<row, tenure, orphans, gave, handled, skipped, upTo, epoch, acquired, repeated>>

(* fleet.recognise: a row that names this worker and is not worked is begun, be it
   by a hint or by the sweep. A tenure whose counter is not beyond the one under
   which the lease was last given away begins with a write of its own. *)
Activate(w) ==
  /\ ~tenure[w].on /\ request[w] = Quiet /\ row.there /\ row.at # End /\ Holder(row) = w
  /\ tenure' = [tenure EXCEPT ![w] =
       [Begun(row) EXCEPT !.phase = IF gave[w] >= row.counter /\ Mutant # "noconfirm" THEN "confirm" ELSE "work"]]
  /\ upTo' = row.at
  /\ UNCHANGED <<row, request, orphans, gave, handled, skipped, epoch, acquired, budget, repeated>>

(* A handler finishes the next record. *)
Current(w) == tenure[w].on /\ Holder(row) = w /\ tenure[w].counter >= acquired /\ row.there
Handle(w) ==
  LET n == tenure[w].done + 1 IN
  /\ tenure[w].on /\ tenure[w].phase = "work" /\ n <= Records
  /\ tenure' = [tenure EXCEPT ![w].done = n]
  /\ handled' = handled \cup {n}
  /\ repeated' = (repeated \/ n \in handled)
  /\ upTo' = IF Current(w) THEN n ELSE upTo
  /\ UNCHANGED <<row, request, orphans, gave, skipped, epoch, acquired, budget>>

(* keeper.keep, and the write that begins an unsure tenure. *)
Save(w) ==
  /\ Working(w) /\ Room(w)
  /\ tenure[w].phase = "confirm" \/ tenure[w].done > tenure[w].saved
  /\ Send(w, Op(w, "save"))
  /\ UNCHANGED <<row, tenure, orphans, gave, handled, skipped, upTo, epoch, acquired, budget, repeated>>

(* The planner asks, and takes it back. Neither moves the counter, and their
   conditions name all that they change, so that a late one does what one does now. *)
Ask(to) ==
  /\ HandOver /\ row.there /\ row.owner \notin {Nobody, to} /\ row.holder = Nobody /\ row.at # End
  /\ row' = [row EXCEPT !.holder = row.owner, !.owner = to]
  /\ UNCHANGED <<tenure, request, orphans, gave, handled, skipped, upTo, epoch, acquired, budget, repeated>>
Withdraw ==
  /\ row.there /\ row.holder # Nobody
  /\ row' = [row EXCEPT !.owner = row.holder, !.holder = Nobody]
  /\ UNCHANGED <<tenure, request, orphans, gave, handled, skipped, upTo, epoch, acquired, budget, repeated>>

(* tenure.leave: nothing is begun any more, and what runs has ended. *)
Drain(w) ==
  /\ tenure[w].on /\ tenure[w].phase = "work"
  /\ tenure' = [tenure EXCEPT ![w].phase = "drain"]
  /\ UNCHANGED <<row, request, orphans, gave, handled, skipped, upTo, epoch, acquired, budget, repeated>>

(* tenure.letGo and tenure.end: the writes that give the lease away. *)
Give(w, q) == /\ Working(w) /\ Room(w) /\ tenure[w].phase = "drain" /\ Send(w, q)
              /\ gave' = [gave EXCEPT ![w] = tenure[w].counter]
              /\ UNCHANGED <<row, tenure, orphans, handled, skipped, upTo, epoch, acquired, budget, repeated>>
Finish(w)      == row.holder = w /\ Give(w, Op(w, "finish"))
Release(w, to) == to # w /\ Give(w, [Op(w, "release") EXCEPT !.to = to])
Ended(w)       == tenure[w].done = Records /\ Give(w, Op(w, "end"))
Refuse(w) ==
  /\ Working(w) /\ Room(w) /\ tenure[w].phase = "drain" /\ row.holder = w /\ Send(w, Op(w, "refuse"))
  /\ UNCHANGED <<row, tenure, orphans, gave, handled, skipped, upTo, epoch, acquired, budget, repeated>>

(* tenure.stay: the hand-over was withdrawn, and the shard is worked on. *)
Stay(w) ==
  /\ Working(w) /\ tenure[w].phase = "drain" /\ row.there /\ row.holder = Nobody /\ row.owner = w
  /\ tenure' = [tenure EXCEPT ![w].phase =
       IF gave[w] >= tenure[w].counter /\ Mutant # "noconfirm" THEN "confirm" ELSE "work"]
  /\ UNCHANGED <<row, request, orphans, gave, handled, skipped, upTo, epoch, acquired, budget, repeated>>

(* tenure.putBack, of a row that somebody deleted. It names the epoch it has read. *)
PutBack(w) ==
  /\ tenure[w].on /\ tenure[w].phase = "gone" /\ request[w] = Quiet
  /\ Send(w, [Op(w, "putback") EXCEPT !.counter = epoch])
  /\ UNCHANGED <<row, tenure, orphans, gave, handled, skipped, upTo, epoch, acquired, budget, repeated>>

-----------------------------------------------------------------------------
(* What becomes of a request. *)

Apply(w) ==
  LET q == request[w]  ok == Holds(q, row) IN
  /\ q.kind # "none" /\ q.state = "sent"
  /\ Write(q, ok)
  /\ orphans' = Kept(orphans, row')
  /\ Send(w, [q EXCEPT !.state = IF ok THEN "done" ELSE "refused", !.answer = row'])
  /\ UNCHANGED <<tenure, gave, handled, skipped, budget, repeated>>

ApplyOrphan(q) ==
  /\ q \in orphans /\ Write(q, Holds(q, row))
  /\ orphans' = Kept(orphans \ {q}, row')
  /\ UNCHANGED <<tenure, request, gave, handled, skipped, budget, repeated>>

(* checkpoint.Adopt and what the engine does about it: what a row means to a
   worker whose write was refused, or not answered. *)
Judge(m, r, w) ==
  CASE ~r.there -> [m EXCEPT !.phase = "gone"]
    [] r.there /\ (Holder(r) # w \/ r.at = End) -> Idle
    [] OTHER ->
       IF Mutant = "adoptany" \/ (r.seek = m.seek /\ r.counter \in {m.counter, m.counter + 1})
       THEN [m EXCEPT !.counter = r.counter, !.saved = r.at,
                      !.done = IF Mutant = "adoptbehind" THEN @ ELSE Max(@, r.at),
                      !.phase = IF @ = "unsure" THEN "drain" ELSE
                                IF @ = "confirm" /\ gave[w] < r.counter THEN "work" ELSE @]
       ELSE [Begun(r) EXCEPT !.phase = IF m.phase = "drain" THEN "drain" ELSE "work"]

Answer(w) ==
  LET q == request[w]  m == tenure[w] IN
  /\ q.kind # "none" /\ q.state \in {"done", "refused"}
  /\ Send(w, Quiet)
  /\ tenure' = [tenure EXCEPT ![w] =
       IF q.kind = "take"
       THEN IF Holder(q.answer) = w /\ ~m.on THEN Begun(q.answer) ELSE m  \* ALL_OLD: the row may be mine
       ELSE IF q.state = "refused"
       THEN IF q.kind = "putback" THEN Idle ELSE Judge(m, q.answer, w)
       ELSE CASE q.kind = "save"   -> [m EXCEPT !.counter = q.answer.counter, !.saved = q.pos,
                                                !.phase = IF @ = "confirm" THEN "work" ELSE @]
              [] q.kind = "refuse" -> [m EXCEPT !.counter = q.answer.counter, !.phase = "work"]
              [] q.kind = "putback" -> Begun(q.answer)
              [] OTHER -> Idle]
  /\ UNCHANGED <<row, orphans, gave, handled, skipped, upTo, epoch, acquired, budget, repeated>>

(* The caller's time is over: the request is lost, or under way still, or it was
   applied and nobody said so. The worker reads the row, strongly consistent. *)
Lose(w) ==
  LET q == request[w] IN
  /\ q.kind # "none" /\ budget.losses > 0
  /\ budget' = [budget EXCEPT !.losses = @ - 1]
  /\ \/ orphans' = orphans
     \/ q.state = "sent" /\ Cardinality(orphans) < MaxOrphans /\ orphans' = Kept(orphans \cup {q}, row)
  /\ Send(w, [kind |-> "none", lost |-> TRUE])
  /\ UNCHANGED <<row, tenure, gave, handled, skipped, upTo, epoch, acquired, repeated>>
ReadBack(w) ==
  /\ request[w] = [kind |-> "none", lost |-> TRUE]
  /\ Send(w, Quiet)
  /\ tenure' = [tenure EXCEPT ![w] = IF @.on THEN Judge(@, row, w) ELSE @]
  /\ UNCHANGED <<row, orphans, gave, handled, skipped, upTo, epoch, acquired, budget, repeated>>

(* The session has run out for a while, or a shard was begun anew: all that was
   under way is dropped. What was sent stays under way. *)
Forget(w) ==
  LET q == request[w] IN
  /\ tenure[w].on /\ budget.losses > 0
  /\ budget' = [budget EXCEPT !.losses = @ - 1]
  /\ tenure' = [tenure EXCEPT ![w] = Idle]
  /\ Send(w, Quiet)
  /\ \/ orphans' = orphans
     \/ q.kind # "none" /\ q # [kind |-> "none", lost |-> TRUE] /\ q.state = "sent"
        /\ Cardinality(orphans) < MaxOrphans /\ orphans' = Kept(orphans \cup {q}, row)
  /\ UNCHANGED <<row, gave, handled, skipped, upTo, epoch, acquired, repeated>>

-----------------------------------------------------------------------------
(* What people do to the row. *)

Seek(to) ==
  /\ budget.seeks > 0 /\ row.there /\ row.holder = Nobody /\ row.at # End /\ row.counter < epoch * Block + MaxCounter
  /\ budget' = [budget EXCEPT !.seeks = @ - 1]
  /\ row' = [Next1(row) EXCEPT !.at = to, !.seek = @ + 1]
  /\ acquired' = row'.counter /\ upTo' = to
  /\ skipped' = skipped \cup ((1..to) \ handled)
  /\ orphans' = Kept(orphans, row')
  /\ UNCHANGED <<tenure, request, gave, handled, epoch, repeated>>

Delete ==
  /\ budget.deletes > 0 /\ row.there /\ row.at # End
  /\ budget' = [budget EXCEPT !.deletes = @ - 1]
  /\ row' = [row EXCEPT !.there = FALSE, !.owner = Nobody, !.holder = Nobody]
  /\ UNCHANGED <<tenure, request, orphans, gave, handled, skipped, upTo, epoch, acquired, repeated>>

(* Maintenance makes a row that is missing: at the oldest record, never at the tip. *)
Create ==
  /\ ~row.there
  /\ row' = [there |-> TRUE, owner |-> Nobody, holder |-> Nobody, at |-> 0, seek |-> 0,
             counter |-> IF Mutant = "counterback" THEN 0 ELSE (epoch + 1) * Block]
  /\ epoch' = epoch + 1 /\ acquired' = row'.counter /\ upTo' = 0
  /\ orphans' = Kept(orphans, row')
  /\ UNCHANGED <<tenure, request, gave, handled, skipped, budget, repeated>>

Next ==
  \/ \E w \in Workers :
       \/ Take(w) \/ Activate(w) \/ Handle(w) \/ Save(w) \/ Drain(w) \/ Finish(w) \/ Refuse(w) \/ Stay(w)
       \/ Ended(w) \/ PutBack(w) \/ Apply(w) \/ Answer(w) \/ Lose(w) \/ ReadBack(w) \/ Forget(w)
       \/ \E to \in Workers \cup {Nobody} : Release(w, to)
       \/ Ask(w)
  \/ Withdraw \/ Delete \/ Create
  \/ \E q \in orphans : ApplyOrphan(q)
  \/ \E to \in 0..Records : Seek(to)
Spec == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
(* Inv-1: what the position has passed was handled, or skipped on demand. *)
NoSkip == \A n \in 1..Records : (row.there /\ n <= row.at) => n \in handled \cup skipped

(* Inv-3: within a seek generation of one row the position only goes forward. *)
Monotone == [][(row.there /\ row'.there /\ row'.seek = row.seek /\ epoch' = epoch) => row'.at >= row.at]_vars

(* Inv-4: a position moves only together with the counter. *)
Fenced == [][(row.there /\ row'.there /\ row'.at # row.at) => row'.counter > row.counter]_vars

(* Inv-6: whoever holds the lease goes on where its position is: no record is
   jumped, and what is repeated is repeated from the checkpoint on. *)
NoJump == [][\A w \in Workers : (Current(w) /\ tenure'[w].done = tenure[w].done + 1 /\ handled' # handled) =>
                 tenure'[w].done <= upTo + 1]_vars

(* Inv-12: the token of a later acquisition is greater, also of a row made again. *)
FenceMonotone == [][acquired' >= acquired]_vars

(* Inv-5 without clocks: as long as nobody takes a lease from a worker that holds
   it, leases only go from hand to hand, and no two workers handle at once, whatever
   is lost or late. *)
OneHandles == MaxTakes = 0 => \A a, b \in Workers :
  (tenure[a].on /\ tenure[b].on /\ tenure[a].phase = "work" /\ tenure[b].phase = "work") => a = b

(* Where nothing is lost and nobody dies, nothing is handled twice. *)
NoRepeat == (MaxTakes = 0 /\ MaxLosses = 0 /\ MaxSeeks = 0 /\ MaxDeletes = 0) => ~repeated
=============================================================================
