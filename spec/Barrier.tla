------------------------------ MODULE Barrier ------------------------------
(* All positions of an application are moved while its fleet stands still. A parent
   shard and its child, both finished or under way, are sent back to the beginning;
   the child has to wait for its parent again. Between the first row that is
   rewritten and the last nobody may handle a record, and nothing that was handled
   before may be written over the move.

   The mover may die at any step. Somebody else goes on with the move, or gives it up
   as long as no row is rewritten; the one before may be a zombie that is still at it.

   reposition/barrier.go, reposition/apply.go (Resume, Abort), consumer/moving.go
   (halt, standsStill), consumer/paceloop.go (heed, answer), consumer/pace.go (begin),
   rewrite, sameMove and begin in checkpoint/dynamocheckpoint/writes.go. *)
EXTENDS Naturals, FiniteSets, TLC

CONSTANTS
  Workers, Movers, Nobody,
  Gens,       \* bounds the generations of the control row
  Counters,   \* bounds the counter of a row
  Upkeeps,    \* maintenance runs that begin meanwhile
  Revokes,    \* workers that are declared dead, and may be zombies
  Mutant      \* "none", or which rule is broken on purpose

Shards == {"parent", "child"}

VARIABLES
  control,  \* the generation, whose move is under way, and whether a row has been rewritten
  epoch,    \* of the maintenance runs
  row,      \* by shard: owner, counter, whether it is done, seek generation
  says,     \* by worker: the generation that its session says it keeps to
  knows,    \* by worker: the generation that it knows
  unread,   \* workers with a new session, which has not read the control row yet
  halted,   \* workers that work nothing and take nothing
  dead,     \* workers whose session is revoked: what they trusted has run out
  tenure,   \* by worker and shard: whether it works it, under which counter, whether its record is handled
  taking,   \* by worker: a take that is under way
  mover,    \* by mover: where it is, the generation it announced, its epoch, the rows as it saw them
  handled,  \* by shard: the seek generations in which its record was handled
  left      \* what is left of upkeeps and revocations
vars == <<control, epoch, row, says, knows, unread, halted, dead, tenure, taking, mover, handled, left>>

Off    == [on |-> FALSE, counter |-> 0, seek |-> 0, done |-> FALSE]
Quiet  == [shard |-> "none", counter |-> 0, seek |-> 0, state |-> "none"]
Away   == [at |-> "away", gen |-> 0, epoch |-> 0, saw |-> [s \in Shards |-> 0]]
Symmetry == Permutations(Workers) \cup Permutations(Movers)

Init ==
  /\ control = [gen |-> 0, move |-> Nobody, writing |-> FALSE]
  /\ epoch = 0
  /\ row = [s \in Shards |-> [owner |-> Nobody, counter |-> 0, done |-> s = "parent", seek |-> 0]]
  /\ says = [w \in Workers |-> 0] /\ knows = [w \in Workers |-> 0] /\ unread = {} /\ halted = {} /\ dead = {}
  /\ tenure = [w \in Workers |-> [s \in Shards |-> Off]]
  /\ taking = [w \in Workers |-> Quiet]
  /\ mover = [m \in Movers |-> Away]
  /\ handled = [s \in Shards |-> IF s = "parent" THEN {0} ELSE {}]
  /\ left = [upkeeps |-> Upkeeps, revokes |-> Revokes]

-----------------------------------------------------------------------------
(* Workers. *)

Runnable(s) == ~row[s].done /\ (s = "child" => row["parent"].done)
Free(s) == row[s].owner = Nobody \/ row[s].owner \in dead

Take(w, s) ==
  /\ w \notin halted \cup dead /\ taking[w] = Quiet /\ Runnable(s) /\ Free(s) /\ row[s].counter < Counters
  /\ taking' = [taking EXCEPT ![w] = [shard |-> s, counter |-> row[s].counter, seek |-> row[s].seek, state |-> "sent"]]
  /\ UNCHANGED <<unread, control, epoch, row, says, knows, halted, dead, tenure, mover, handled, left>>
ApplyTake(w) ==
  LET q == taking[w] IN
  /\ q.state = "sent"
  /\ IF row[q.shard].counter = q.counter
     THEN /\ row' = [row EXCEPT ![q.shard].owner = w, ![q.shard].counter = @ + 1]
          /\ taking' = [taking EXCEPT ![w].state = "done"]
     ELSE row' = row /\ taking' = [taking EXCEPT ![w] = Quiet]
  /\ UNCHANGED <<unread, control, epoch, says, knows, halted, dead, tenure, mover, handled, left>>
(* fleet.start: whoever was halted meanwhile does not begin what it was given. *)
Answer(w) ==
  LET q == taking[w] IN
  /\ q.state = "done" /\ taking' = [taking EXCEPT ![w] = Quiet]
  /\ tenure' = IF w \in halted \cup dead /\ Mutant # "startsanyway" THEN tenure
               ELSE [tenure EXCEPT ![w][q.shard] = [on |-> TRUE, counter |-> q.counter + 1, seek |-> q.seek, done |-> FALSE]]
  /\ UNCHANGED <<unread, control, epoch, row, says, knows, halted, dead, mover, handled, left>>

(* The handler: a zombie too may still be at it, but begins nothing. *)
Handle(w, s) ==
  /\ tenure[w][s].on /\ ~tenure[w][s].done /\ w \notin dead
  /\ tenure' = [tenure EXCEPT ![w][s].done = TRUE]
  /\ handled' = [handled EXCEPT ![s] = @ \cup {tenure[w][s].seek}]
  /\ UNCHANGED <<unread, control, epoch, row, says, knows, halted, dead, taking, mover, left>>
(* end: the position, if the counter is still the one that is held. *)
Save(w, s) ==
  LET t == tenure[w][s] IN
  /\ t.on /\ t.done
  /\ row' = IF (row[s].counter = t.counter /\ row[s].owner = w) \/ Mutant = "nofence"
            THEN [row EXCEPT ![s].done = TRUE, ![s].counter = @ + 1] ELSE row
  /\ tenure' = [tenure EXCEPT ![w][s] = Off]
  /\ UNCHANGED <<unread, control, epoch, says, knows, halted, dead, taking, mover, handled, left>>
(* A shard is let go of that is not done: released, to nobody. *)
Release(w, s) ==
  LET t == tenure[w][s] IN
  /\ t.on /\ ~t.done /\ w \in halted
  /\ row' = IF row[s].counter = t.counter /\ row[s].owner = w
            THEN [row EXCEPT ![s].owner = Nobody, ![s].counter = @ + 1] ELSE row
  /\ tenure' = [tenure EXCEPT ![w][s] = Off]
  /\ UNCHANGED <<unread, control, epoch, says, knows, halted, dead, taking, mover, handled, left>>

(* heart.listen and heed: the control row is read, and gone by. *)
Listen(w) ==
  /\ knows[w] # control.gen \/ w \in unread
  /\ knows' = [knows EXCEPT ![w] = control.gen] /\ unread' = unread \ {w}
  /\ halted' = IF control.move # Nobody THEN halted \cup {w} ELSE halted \ {w}
  /\ UNCHANGED <<control, epoch, row, says, dead, tenure, taking, mover, handled, left>>
(* heart.answer: said when nothing is worked any more, and no take is under way. *)
Say(w) ==
  /\ w \notin dead \cup unread /\ says[w] # knows[w]
  /\ \/ w \notin halted \/ Mutant = "saysatonce"
     \/ (\A s \in Shards : ~tenure[w][s].on) /\ (taking[w] = Quiet \/ Mutant = "sayswhiletaking")
  /\ says' = [says EXCEPT ![w] = knows[w]]
  /\ UNCHANGED <<unread, control, epoch, row, knows, halted, dead, tenure, taking, mover, handled, left>>
(* A maintenance run begins: some worker was in the middle of it. *)
Upkeep ==
  /\ left.upkeeps > 0 /\ left' = [left EXCEPT !.upkeeps = @ - 1] /\ epoch' = epoch + 1
  /\ UNCHANGED <<unread, control, row, says, knows, halted, dead, tenure, taking, mover, handled>>
(* Who is silent is declared dead: as LeaseTime shows, it does not act any more. *)
Revoke(w) ==
  /\ left.revokes > 0 /\ w \notin dead /\ left' = [left EXCEPT !.revokes = @ - 1] /\ dead' = dead \cup {w}
  /\ UNCHANGED <<unread, control, epoch, row, says, knows, halted, tenure, taking, mover, handled>>
(* A worker that was declared dead, or has just started, has a new session. It read
   the control row before that, and is halted until it has read it again. *)
Return(w) ==
  /\ w \in dead /\ taking[w] = Quiet /\ \A s \in Shards : ~tenure[w][s].on
  /\ dead' = dead \ {w} /\ halted' = halted \cup {w}
  /\ \E g \in 0..control.gen : g >= knows[w] /\ says' = [says EXCEPT ![w] = g] /\ (g = control.gen \/ g = knows[w])
  /\ unread' = unread \cup {w}
  /\ row' = [s \in Shards |-> IF row[s].owner = w /\ ~row[s].done THEN [row[s] EXCEPT !.owner = Nobody] ELSE row[s]]
  /\ UNCHANGED <<control, epoch, knows, tenure, taking, mover, handled, left>>

-----------------------------------------------------------------------------
(* Movers. *)

Go(m, at) == [mover EXCEPT ![m].at = at]
Tell(c) == control' = [c EXCEPT !.gen = control.gen + 1]
Mine(m) == control.move = m

Announce(m) ==
  /\ mover[m].at = "away" /\ control.move = Nobody /\ control.gen + 3 < Gens
  /\ \A s \in Shards : row[s].seek = 0
  /\ Tell([control EXCEPT !.move = m])
  /\ mover' = [mover EXCEPT ![m] = [Away EXCEPT !.at = "waits", !.gen = control.gen + 1]]
  /\ UNCHANGED <<unread, epoch, row, says, knows, halted, dead, tenure, taking, handled, left>>
TakeOver(m) ==
  /\ mover[m].at = "away" /\ control.move \notin {Nobody, m} /\ control.gen + 3 < Gens
  /\ Tell([control EXCEPT !.move = m])
  /\ mover' = [mover EXCEPT ![m] = [Away EXCEPT !.at = "waits", !.gen = control.gen + 1]]
  /\ UNCHANGED <<unread, epoch, row, says, knows, halted, dead, tenure, taking, handled, left>>
(* Abort: nothing has been rewritten. *)
Abort ==
  /\ control.move # Nobody /\ (~control.writing \/ Mutant = "abortlate") /\ control.gen < Gens
  /\ Tell([control EXCEPT !.move = Nobody, !.writing = FALSE])
  /\ UNCHANGED <<unread, epoch, row, says, knows, halted, dead, tenure, taking, mover, handled, left>>

(* barrier.working: every live session says so. *)
Still(m) ==
  /\ mover[m].at = "waits" /\ Mine(m)
  /\ Mutant = "nowait" \/ \A w \in Workers \ dead : says[w] >= mover[m].gen
  /\ mover' = Go(m, "begins")
  /\ UNCHANGED <<unread, control, epoch, row, says, knows, halted, dead, tenure, taking, handled, left>>
(* barrier.write: a maintenance run that ends all others, and a look at the rows. *)
Begin(m) ==
  /\ mover[m].at = "begins"
  /\ epoch' = epoch + 1
  /\ mover' = [mover EXCEPT ![m].at = "looks", ![m].epoch = epoch + 1]
  /\ UNCHANGED <<unread, control, row, says, knows, halted, dead, tenure, taking, handled, left>>
Look(m) ==
  /\ mover[m].at = "looks"
  /\ mover' = [mover EXCEPT ![m].at = "notes", ![m].saw = [s \in Shards |-> row[s].counter]]
  /\ UNCHANGED <<unread, control, epoch, row, says, knows, halted, dead, tenure, taking, handled, left>>
Note(m) ==
  /\ mover[m].at = "notes"
  /\ IF Mine(m)
     THEN /\ mover' = Go(m, "parent")
          /\ IF control.writing THEN control' = control ELSE Tell([control EXCEPT !.writing = TRUE])
     ELSE mover' = Go(m, "over") /\ control' = control
  /\ UNCHANGED <<unread, epoch, row, says, knows, halted, dead, tenure, taking, handled, left>>
(* rewrite: each in a transaction with sameMove, on the row as it was seen. A refused
   one is tried again from the beginning of the run, by whoever's move it still is. *)
First  == IF Mutant = "childfirst" THEN "child" ELSE "parent"
Second == IF Mutant = "childfirst" THEN "parent" ELSE "child"
Rewrite(m, s, next) ==
  LET same == Mutant = "nomoveid" \/ (Mine(m) /\ (mover[m].epoch = epoch \/ Mutant = "noepoch"))
      asSeen == mover[m].saw[s] = row[s].counter \/ Mutant = "blindrewrite" IN
  /\ row[s].counter < Counters + 4
  /\ IF same /\ asSeen
     THEN /\ row' = [row EXCEPT ![s] = [owner |-> Nobody, counter |-> row[s].counter + 1, done |-> FALSE, seek |-> 1]]
          /\ mover' = Go(m, next)
     ELSE row' = row /\ mover' = Go(m, IF Mine(m) THEN "begins" ELSE "over")
  /\ UNCHANGED <<unread, control, epoch, says, knows, halted, dead, tenure, taking, handled, left>>
Finish(m) ==
  /\ mover[m].at = "done"
  /\ IF Mine(m) THEN Tell([control EXCEPT !.move = Nobody, !.writing = FALSE]) ELSE control' = control
  /\ mover' = Go(m, "over")
  /\ UNCHANGED <<unread, epoch, row, says, knows, halted, dead, tenure, taking, handled, left>>

Next ==
  \/ \E w \in Workers :
       \/ ApplyTake(w) \/ Answer(w) \/ Listen(w) \/ Say(w) \/ Revoke(w) \/ Return(w)
       \/ \E s \in Shards : Take(w, s) \/ Handle(w, s) \/ Save(w, s) \/ Release(w, s)
  \/ Upkeep \/ Abort
  \/ \E m \in Movers :
       \/ Announce(m) \/ TakeOver(m) \/ Still(m) \/ Begin(m) \/ Look(m) \/ Note(m) \/ Finish(m)
       \/ mover[m].at = "parent" /\ Rewrite(m, First, "child")
       \/ mover[m].at = "child" /\ Rewrite(m, Second, "done")
Spec == Init /\ [][Next]_vars

(* Between the first row that is rewritten and the end of the move nobody handles. *)
Moving == control.move # Nobody /\ \E s \in Shards : row[s].seek = 1
StandStill == [][Moving => handled' = handled]_vars

(* From the first row that is rewritten on nobody is at anything from before, also
   when the move is over. *)
NothingOld == (\E s \in Shards : row[s].seek = 1) =>
  \A w \in Workers \ dead, s \in Shards : tenure[w][s].on => tenure[w][s].seek = 1

(* A position that stands behind the move stands for a record that was handled
   behind the move. *)
NotOverTheMove == \A s \in Shards : row[s].done => row[s].seek \in handled[s]

(* Inv-7: whoever begins the child behind the move, the parent is done behind it. *)
ParentFirst == \A w \in Workers : (tenure[w]["child"].on /\ tenure[w]["child"].seek = 1 /\ w \notin dead) => 1 \in handled["parent"]

(* When the move is over, all of it is: no row is left behind the others. *)
Whole == control.move = Nobody => row["parent"].seek = row["child"].seek
=============================================================================
