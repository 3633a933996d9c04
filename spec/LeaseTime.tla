----------------------------- MODULE LeaseTime -----------------------------
(* The only place where the protocol needs clocks: that two workers do not act on
   one lease at the same moment. No clock of one host is compared with one of
   another. An owner trusts its lease for D - M from the sending of a heartbeat that
   was answered; an observer waits D from the arrival of the answer that first
   showed the last beat, or the session absent. Each measures on its own clock, and
   clocks run at different rates.

   consumer/session.go (extend, beat, register), consumer/heart.go,
   consumer/peers.go (observe, silent), consumer/fleet.go (revoke),
   consumer/planning.go (gone, take).

   All times are kept as ages and as what is left, each on the clock of whoever
   measures, and beats as whether the one that was seen is still the last. So the
   model needs no bound on time or on beats. A worker of KCL 2 or a fleet beside it
   is the same with the counter of a lease for the beat and the take for the
   revocation. *)
EXTENDS Naturals

CONSTANTS
  D,             \* LeaseDuration, in units of any clock
  M,             \* the margin, D/5
  OwnerRates,    \* by how many units the owner's clock may move in one tick
  ObserverRates, \* likewise the observer's
  Timeout,       \* after which a heartbeat is given up, M/2; an answer that comes later is not heard
  Deletes,       \* whether somebody deletes the session's row by hand, once
  Mutant         \* "none", or which rule is broken on purpose

VARIABLES
  session,    \* the owner's row of the session table: live, revoked, absent
  beat,       \* the heartbeat under way: its state, how long ago it was sent, and whether the session had run out by then
  unanswered, \* an earlier beat was applied and its answer was lost
  orphan,     \* a beat that was given up may still be applied
  deletes,    \* whether the row is still to be deleted by hand
  duplicate,  \* a copy of the registration is still under way
  left,       \* for how long the owner still trusts its lease
  holds,      \* whether the owner works it, and the observer does
  seen,       \* the beat that the observer knows: whether it is still the last, and for how long it has been known
  answer,     \* a reading of the sessions that is under way to the observer
  absent,     \* for how long the observer has known the session absent
  revoking    \* the observer's revocation under way: whether the beat that it names is still the last
vars == <<session, beat, unanswered, orphan, deletes, duplicate, left, holds, seen, answer, absent, revoking>>

None == [state |-> "none", age |-> 0, late |-> FALSE]
Trust == D - M
Unwatched == D + 1
Capped(n, most) == IF n > most THEN most ELSE n
Less(n, by) == IF n > by THEN n - by ELSE 0

Init ==
  /\ session = "live" /\ beat = None /\ unanswered = FALSE /\ orphan = FALSE /\ duplicate = Deletes /\ deletes = Deletes
  /\ left = Trust /\ holds = [owner |-> TRUE, observer |-> FALSE]
  /\ seen = [last |-> TRUE, age |-> 0]
  /\ answer = [on |-> FALSE, last |-> FALSE] /\ absent = Unwatched /\ revoking = [on |-> FALSE, last |-> FALSE]

(* Time passes, by as much on each clock as its rate allows. *)
Tick == \E a \in OwnerRates, b \in ObserverRates :
  /\ left' = Less(left, a)
  /\ beat' = IF beat = None THEN None ELSE [beat EXCEPT !.age = Capped(@ + a, Timeout + 1)]
  /\ seen' = [seen EXCEPT !.age = Capped(@ + b, D)]
  /\ absent' = IF absent = Unwatched THEN Unwatched ELSE Capped(absent + b, D)
  /\ UNCHANGED <<deletes, session, unanswered, orphan, duplicate, holds, answer, revoking>>

-----------------------------------------------------------------------------
(* The owner. *)

Send ==
  /\ beat = None /\ holds.owner
  /\ beat' = [state |-> "sent", age |-> 0, late |-> left = 0]
  /\ UNCHANGED <<deletes, session, unanswered, orphan, duplicate, left, holds, seen, answer, absent, revoking>>

(* The row shows another beat: whatever anybody has seen, or is about to, is not the last. *)
Moved == /\ seen' = [seen EXCEPT !.last = FALSE]
         /\ answer' = [answer EXCEPT !.last = FALSE]
         /\ revoking' = [revoking EXCEPT !.last = FALSE]
Still == UNCHANGED <<seen, answer, revoking>>

(* heartbeat: hb = hb + 1 if the session is there and not revoked. *)
Apply ==
  /\ beat.state = "sent"
  /\ IF session # "live" THEN beat' = [beat EXCEPT !.state = "refused"] /\ Still
     ELSE /\ beat' = [beat EXCEPT !.state = "done"]
          /\ IF Mutant = "casbeat" /\ unanswered THEN Still ELSE Moved
  /\ UNCHANGED <<deletes, session, unanswered, orphan, duplicate, left, holds, absent>>

(* The answer arrives. Validity counts from the sending. A worker whose session has
   run out has dropped its leases, and reads each row again before it goes on with
   it; but one whose session runs out while a heartbeat is under way may not notice
   (beat.late). *)
Hear ==
  /\ beat.state = "done" /\ beat.age <= Timeout
  /\ LET until == IF Mutant = "fromanswer" THEN Trust ELSE Less(Trust, beat.age) IN
       left' = IF until > left THEN until ELSE left
  /\ holds' = IF beat.late /\ Mutant # "notreadagain" THEN [holds EXCEPT !.owner = ~holds.observer] ELSE holds
  /\ beat' = None /\ unanswered' = FALSE
  /\ UNCHANGED <<deletes, session, orphan, duplicate, seen, answer, absent, revoking>>
HearRefused ==
  /\ beat.state = "refused"
  /\ beat' = None /\ holds' = [holds EXCEPT !.owner = FALSE]
  /\ UNCHANGED <<deletes, session, unanswered, orphan, duplicate, left, seen, answer, absent, revoking>>

(* The request or its answer is lost. *)
Lose ==
  /\ beat # None
  /\ beat' = None
  /\ unanswered' = (unanswered \/ beat.state = "done")
  /\ orphan' \in {orphan, orphan \/ beat.state = "sent"}
  /\ UNCHANGED <<deletes, session, duplicate, left, holds, seen, answer, absent, revoking>>
ApplyOrphan ==
  /\ orphan /\ orphan' = FALSE
  /\ IF session = "live" THEN Moved ELSE Still
  /\ UNCHANGED <<deletes, session, beat, unanswered, duplicate, left, holds, absent>>

-----------------------------------------------------------------------------
(* What may happen to the session's row from outside. *)

Delete ==
  /\ deletes /\ deletes' = FALSE /\ session = "live" /\ session' = "absent" /\ Moved
  /\ UNCHANGED <<beat, unanswered, orphan, duplicate, left, holds, absent>>
(* register: attribute_not_exists(id), applied once more. *)
Register ==
  /\ duplicate /\ session = "absent" /\ session' = "live" /\ duplicate' = FALSE /\ Moved
  /\ UNCHANGED <<beat, unanswered, orphan, deletes, left, holds, absent>>

-----------------------------------------------------------------------------
(* The observer. *)

(* A scan reads the last beat, or one that is older (the read is not consistent),
   and the answer takes its time. *)
Read ==
  /\ ~answer.on /\ session = "live" /\ \E last \in BOOLEAN : answer' = [on |-> TRUE, last |-> last]
  /\ UNCHANGED <<deletes, session, beat, unanswered, orphan, duplicate, left, holds, seen, absent, revoking>>
(* A beat that was known counts from when it was first seen, another one from now. *)
Arrive ==
  /\ answer.on
  /\ \/ answer.last /\ seen' = (IF seen.last THEN seen ELSE [last |-> TRUE, age |-> 0])
     \/ ~answer.last /\ seen' = seen                             \* no greater than the one that is known
     \/ ~answer.last /\ seen' = [last |-> FALSE, age |-> 0]      \* greater, and not the last any more
  /\ answer' = [on |-> FALSE, last |-> FALSE]
  /\ UNCHANGED <<deletes, session, beat, unanswered, orphan, duplicate, left, holds, absent, revoking>>

(* revoke: hb = :seen. *)
Revoke ==
  /\ ~revoking.on /\ seen.age >= D
  /\ revoking' = [on |-> TRUE, last |-> seen.last]
  /\ UNCHANGED <<deletes, session, beat, unanswered, orphan, duplicate, left, holds, seen, answer, absent>>
ApplyRevoke ==
  /\ revoking.on
  /\ session' = IF session = "live" /\ (revoking.last \/ Mutant = "blindrevoke") THEN "revoked" ELSE session
  /\ revoking' = [on |-> FALSE, last |-> FALSE]
  /\ UNCHANGED <<deletes, beat, unanswered, orphan, duplicate, left, holds, seen, answer, absent>>

(* A strongly consistent read of one session. *)
Look ==
  /\ absent' = IF session # "absent" THEN Unwatched
               ELSE IF absent = Unwatched THEN (IF Mutant = "absentatonce" THEN D ELSE 0) ELSE absent
  /\ UNCHANGED <<deletes, session, beat, unanswered, orphan, duplicate, left, holds, seen, answer, revoking>>

(* take: of a session that is revoked, or that has been absent for D and still is:
   attribute_not_exists(id), in the same transaction. *)
Take ==
  /\ ~holds.observer
  /\ \/ session = "revoked"
     \/ absent = D /\ (session = "absent" \/ Mutant = "nocheck")
  /\ holds' = [holds EXCEPT !.observer = TRUE]
  /\ UNCHANGED <<deletes, session, beat, unanswered, orphan, duplicate, left, seen, answer, absent, revoking>>

Next ==
  \/ Tick \/ Send \/ Apply \/ Hear \/ HearRefused \/ Lose \/ ApplyOrphan \/ Delete \/ Register
  \/ Read \/ Arrive \/ Revoke \/ ApplyRevoke \/ Look \/ Take
Spec == Init /\ [][Next]_vars

(* Inv-5: whoever acts on a lease is alone. The observer, once it has taken the
   lease, is taken to trust it for ever, which is the worst that it may do. *)
OneEntitled == ~(holds.owner /\ left > 0 /\ holds.observer)
=============================================================================
