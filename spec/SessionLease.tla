---------------------------- MODULE SessionLease ----------------------------
(* Sessions and a lease together: who may be taken from. A worker lives as long as
   its session; the one write that ends a session is the moment of its death; leases
   are taken only from workers that are dead by that, or that have no session.

   Clocks are not modelled; what LeaseTime proves of them is used. Every write of a
   session that is applied (a registration, a heartbeat) has a stamp. A worker trusts
   its leases because of the last stamp whose answer it has heard. When somebody has
   watched a beat for D, all stamps up to that one's are over, for whoever rests on
   them: they were sent before.

   consumer/session.go, consumer/heart.go, consumer/peers.go, consumer/fleet.go
   (observe, revoke, start, leaveAll), consumer/planning.go (take, gone),
   consumer/upkeep.go (bury), consumer/lettinggo.go (letGo). *)
EXTENDS Naturals, FiniteSets, TLC

CONSTANTS
  Workers, Nobody,
  Beats,     \* bounds the heartbeats of a session
  Takes,     \* bounds the counter of the row
  Copies,    \* late duplicates of each registration
  Deletes,   \* session rows deleted by hand
  Leaves,    \* whether workers stop
  Mutant     \* "none", or which rule is broken on purpose

VARIABLES
  session,   \* by worker: its row: none, live or revoked, and the beat
  stamp,     \* by worker: how many writes of its session were applied
  over,      \* by worker: the stamps up to here are over
  phase,     \* by worker: up, over
  trust,     \* by worker: the stamp that it rests on
  heard,     \* by worker: the answer of a heartbeat that is under way to it
  copies,    \* by worker: copies of its registration that are under way
  seen,      \* by worker and other: the beat seen last, its stamp, and whether it was watched for D
  row,       \* owner and counter of the lease
  tenure,    \* by worker: whether it works the lease, and under which counter
  request,   \* by worker: its take that is under way
  revoked,   \* workers that were revoked
  deletes
vars == <<session, stamp, over, phase, trust, heard, copies, seen, row, tenure, request, revoked, deletes>>

Symmetry == Permutations(Workers)
Off    == [on |-> FALSE, counter |-> 0]
Quiet  == [state |-> "none", counter |-> 0, owner |-> Nobody, absent |-> FALSE]

(* Everybody is registered and knows everybody; one of them works the lease. *)
Init == \E first \in Workers :
  /\ session = [w \in Workers |-> [state |-> "live", beat |-> 0]]
  /\ stamp = [w \in Workers |-> 1] /\ over = [w \in Workers |-> 0]
  /\ phase = [w \in Workers |-> "up"] /\ trust = [w \in Workers |-> 1] /\ heard = [w \in Workers |-> 0]
  /\ copies = [w \in Workers |-> Copies]
  /\ seen = [w \in Workers |-> [p \in Workers |-> [what |-> "live", beat |-> 0, stamp |-> 1, watched |-> FALSE]]]
  /\ row = [owner |-> first, counter |-> 1]
  /\ tenure = [w \in Workers |-> IF w = first THEN [on |-> TRUE, counter |-> 1] ELSE Off]
  /\ request = [w \in Workers |-> Quiet]
  /\ revoked = {} /\ deletes = Deletes

Valid(w) == phase[w] = "up" /\ trust[w] > over[w]
Max(a, b) == IF a > b THEN a ELSE b

-----------------------------------------------------------------------------
(* A session and its worker. *)

Registers(w) ==
  /\ session[w].state = "none" \/ Mutant = "registerover"
  /\ session' = [session EXCEPT ![w] = [state |-> "live", beat |-> 0]]
  /\ stamp' = [stamp EXCEPT ![w] = @ + 1]
(* Nobody waits for the answer of a copy. *)
RegisterAgain(w) ==
  /\ copies[w] > 0 /\ Registers(w)
  /\ copies' = [copies EXCEPT ![w] = @ - 1]
  /\ UNCHANGED <<over, phase, trust, heard, seen, row, tenure, request, revoked, deletes>>

Refused == 99
Beat(w) ==
  /\ phase[w] = "up" /\ heard[w] = 0
  /\ IF session[w].state = "live" \/ (Mutant = "beatrevoked" /\ session[w].state = "revoked")
     THEN /\ session[w].beat < Beats
          /\ session' = [session EXCEPT ![w].beat = @ + 1]
          /\ stamp' = [stamp EXCEPT ![w] = @ + 1] /\ heard' = [heard EXCEPT ![w] = stamp'[w]]
     ELSE heard' = [heard EXCEPT ![w] = Refused] /\ UNCHANGED <<session, stamp>>
  /\ UNCHANGED <<over, phase, trust, copies, seen, row, tenure, request, revoked, deletes>>
LoseAnswer(w) ==
  /\ heard[w] # 0 /\ heard' = [heard EXCEPT ![w] = 0]
  /\ UNCHANGED <<session, stamp, over, phase, trust, copies, seen, row, tenure, request, revoked, deletes>>
(* Refused: the session is over, and all is dropped. Else the worker goes on, with
   what it held only if its session had not run out. *)
Hear(w) ==
  /\ heard[w] # 0 /\ heard' = [heard EXCEPT ![w] = 0]
  /\ phase' = [phase EXCEPT ![w] = IF heard[w] = Refused THEN "over" ELSE @]
  /\ trust' = [trust EXCEPT ![w] = IF heard[w] = Refused THEN @ ELSE Max(@, heard[w])]
  /\ tenure' = [tenure EXCEPT ![w] = IF heard[w] = Refused \/ (~Valid(w) /\ Mutant # "notreadagain") THEN Off ELSE @]
  /\ UNCHANGED <<session, stamp, over, copies, seen, row, request, revoked, deletes>>

(* A worker that stops deletes its session, when its leases are given away. *)
Leave(w) ==
  /\ Leaves /\ phase[w] = "up" /\ ~tenure[w].on /\ session[w].state = "live"
  /\ phase' = [phase EXCEPT ![w] = "over"] /\ session' = [session EXCEPT ![w].state = "none"]
  /\ UNCHANGED <<stamp, over, trust, heard, copies, seen, row, tenure, request, revoked, deletes>>

Delete(w) ==
  /\ deletes > 0 /\ session[w].state = "live" /\ deletes' = deletes - 1
  /\ session' = [session EXCEPT ![w].state = "none"]
  /\ UNCHANGED <<stamp, over, phase, trust, heard, copies, seen, row, tenure, request, revoked>>

-----------------------------------------------------------------------------
(* What others make of it. *)

(* fleet.observe, and the strongly consistent read of a session that is not listed. *)
Observe(w, p) ==
  /\ Valid(w) /\ w # p
  /\ LET s == session[p]
         now == [what |-> s.state, beat |-> s.beat, stamp |-> stamp[p], watched |-> FALSE] IN
       /\ seen[w][p].what # "revoked"          \* it never comes back
       /\ <<seen[w][p].what, seen[w][p].beat>> # <<s.state, s.beat>>
       /\ seen' = [seen EXCEPT ![w][p] = now]
  /\ UNCHANGED <<session, stamp, over, phase, trust, heard, copies, row, tenure, request, revoked, deletes>>
(* D has passed without anything else being seen. *)
Wait(w, p) ==
  /\ seen[w][p].what \in {"live", "none"} /\ ~seen[w][p].watched
  /\ seen' = [seen EXCEPT ![w][p].watched = TRUE]
  /\ over' = [over EXCEPT ![p] = Max(@, seen[w][p].stamp)]
  /\ UNCHANGED <<session, stamp, phase, trust, heard, copies, row, tenure, request, revoked, deletes>>

Revoke(w, p) ==
  /\ Valid(w) /\ seen[w][p].what = "live" /\ seen[w][p].watched
  /\ session[p].state = "live" /\ (session[p].beat = seen[w][p].beat \/ Mutant = "blindrevoke")
  /\ session' = [session EXCEPT ![p].state = "revoked"] /\ revoked' = revoked \cup {p}
  /\ UNCHANGED <<stamp, over, phase, trust, heard, copies, seen, row, tenure, request, deletes>>

(* fleet.bury: after a day, by when no copy of a registration is under way any more,
   and if no lease names it. *)
Bury(p) ==
  /\ session[p].state = "revoked" /\ row.owner # p
  /\ Mutant = "burysoon" \/ copies[p] = 0
  /\ session' = [session EXCEPT ![p] = [state |-> "none", beat |-> 0]]
  /\ UNCHANGED <<stamp, over, phase, trust, heard, copies, seen, row, tenure, request, revoked, deletes>>

-----------------------------------------------------------------------------
(* The lease. *)

(* Whom a worker believes dead: who was revoked, or has had no session for D. *)
Dead(w, p) == \/ seen[w][p].what = "revoked"
              \/ seen[w][p].what = "none" /\ seen[w][p].watched
              \/ Mutant = "takesilent" /\ seen[w][p].what = "live" /\ seen[w][p].watched
Take(w) ==
  /\ Valid(w) /\ ~tenure[w].on /\ request[w] = Quiet /\ row.counter < Takes
  /\ row.owner # w
  /\ IF row.owner = Nobody THEN TRUE ELSE Dead(w, row.owner) \/ Mutant = "takelive"
  /\ request' = [request EXCEPT ![w] = [state |-> "sent", counter |-> row.counter, owner |-> row.owner,
       absent |-> IF row.owner = Nobody THEN FALSE ELSE seen[w][row.owner].what = "none"]]
  /\ UNCHANGED <<session, stamp, over, phase, trust, heard, copies, seen, row, tenure, revoked, deletes>>
ApplyTake(w) ==
  LET q == request[w]
      ok == /\ row.counter = q.counter \/ Mutant = "takebyowner"
            /\ row.owner = q.owner
            /\ IF q.absent THEN session[q.owner].state = "none" ELSE TRUE IN
  /\ q.state = "sent"
  /\ row' = IF ok THEN [owner |-> w, counter |-> row.counter + 1] ELSE row
  /\ request' = [request EXCEPT ![w] = [@ EXCEPT !.state = IF ok THEN "done" ELSE "refused"]]
  /\ UNCHANGED <<session, stamp, over, phase, trust, heard, copies, seen, tenure, revoked, deletes>>
(* The answer arrives or does not. A request that is given up is lost here; that it
   may be applied late is the subject of LeaseSafe. *)
Answer(w) ==
  LET q == request[w] IN
  /\ q.state # "none"
  /\ request' = [request EXCEPT ![w] = Quiet]
  /\ tenure' = [tenure EXCEPT ![w] = IF q.state = "done" /\ Valid(w) THEN [on |-> TRUE, counter |-> q.counter + 1] ELSE @]
  /\ UNCHANGED <<session, stamp, over, phase, trust, heard, copies, seen, row, revoked, deletes>>
Lost(w) ==
  /\ request[w].state # "none" /\ request' = [request EXCEPT ![w] = Quiet]
  /\ UNCHANGED <<session, stamp, over, phase, trust, heard, copies, seen, row, tenure, revoked, deletes>>
(* The sweep. *)
Activate(w) ==
  /\ Valid(w) /\ ~tenure[w].on /\ request[w] = Quiet /\ row.owner = w
  /\ tenure' = [tenure EXCEPT ![w] = [on |-> TRUE, counter |-> row.counter]]
  /\ UNCHANGED <<session, stamp, over, phase, trust, heard, copies, seen, row, request, revoked, deletes>>
(* What was held is let go, drained: to nobody, or to a worker whose session was
   read and lives. *)
Release(w, to) ==
  /\ tenure[w].on /\ to # w /\ (IF to = Nobody THEN TRUE ELSE session[to].state = "live") /\ row.counter < Takes
  /\ tenure' = [tenure EXCEPT ![w] = Off]
  /\ row' = IF row = [owner |-> w, counter |-> tenure[w].counter] THEN [owner |-> to, counter |-> row.counter + 1] ELSE row
  /\ UNCHANGED <<session, stamp, over, phase, trust, heard, copies, seen, request, revoked, deletes>>

Next == \E w \in Workers :
  \/ RegisterAgain(w) \/ Beat(w) \/ LoseAnswer(w) \/ Hear(w) \/ Leave(w) \/ Delete(w) \/ Bury(w)
  \/ Take(w) \/ ApplyTake(w) \/ Answer(w) \/ Lost(w) \/ Activate(w)
  \/ \E p \in Workers \cup {Nobody} : Release(w, p)
  \/ \E p \in Workers : Observe(w, p) \/ Wait(w, p) \/ Revoke(w, p)
Spec == Init /\ [][Next]_vars

(* Inv-5: whoever acts on the lease is alone. *)
OneEntitled == \A a, b \in Workers : (tenure[a].on /\ Valid(a) /\ tenure[b].on /\ Valid(b)) => a = b
(* What was revoked stays dead. *)
DeadStaysDead == \A w \in revoked : session[w].state # "live"
=============================================================================
