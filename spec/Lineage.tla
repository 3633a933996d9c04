------------------------------ MODULE Lineage ------------------------------
(* Which shard may be read, which rows are made, which are deleted. Shard 1 splits into
   2 and 3, which merge into 4. Maintenance runs, any number at once, are held up for
   as long as one likes between what they read and what they write; workers go by a
   listing of the stream that may be old.

   shard/lineage.go (Runnable, Missing, Deletable, Gone), consumer/upkeep.go
   (upkeepRun), consumer/looking.go (rows, covers), end, child, putLease, deleteLease
   and sameEpoch in checkpoint/dynamocheckpoint/writes.go. *)
EXTENDS Naturals, FiniteSets

CONSTANTS
  Runs,     \* maintenance runs that may be under way at once
  Begins,   \* how many begin in all
  Deletes,  \* rows of finished parents that KCL deletes while the stream still lists them
  Losses,   \* shards whose records are trimmed before they are read
  Mutant    \* "none", or which rule is broken on purpose

VARIABLES
  there,    \* the shards that there are
  gone,     \* those that the stream does not list any more
  row,      \* by shard: none, trim (TRIM_HORIZON), prog (a record is done), end
  done,     \* by shard: how often it was handled to its end
  lost,     \* shards whose rest was reported as lost
  listing,  \* the listing that the workers remember
  epoch,
  run,      \* by run: its state, epoch, listing and rows
  begun,    \* how many runs have begun
  left      \* what is left of KCL's deletes and of losses
vars == <<there, gone, row, done, lost, listing, epoch, run, begun, left>>

S == 1..4
Parents(s)  == CASE s = 1 -> {} [] s \in {2, 3} -> {1} [] s = 4 -> {2, 3}
Children(s) == CASE s = 1 -> {2, 3} [] s \in {2, 3} -> {4} [] s = 4 -> {}
Below(s)    == CASE s = 1 -> {2, 3, 4} [] s \in {2, 3} -> {4} [] s = 4 -> {}
Listed      == there \ gone
Idle == [state |-> "idle", epoch |-> 0, listed |-> {}, rows |-> [s \in S |-> "none"]]

Init ==
  /\ there = {1} /\ gone = {} /\ row = [s \in S |-> IF s = 1 THEN "trim" ELSE "none"]
  /\ done = [s \in S |-> 0] /\ lost = {} /\ listing = {1} /\ epoch = 0
  /\ run = [r \in Runs |-> Idle] /\ begun = 0 /\ left = [deletes |-> Deletes, losses |-> Losses]

-----------------------------------------------------------------------------
(* shard.Lineage, over a listing and the rows that were read after it. *)

(* Passed: a descendant has been started, so that what the shard held is behind the fleet. *)
Passed(rows, s) == \E d \in Below(s) : rows[d] \in {"prog", "end"}
Runnable(listed, rows, s) ==
  \/ rows[s] = "prog"
  \/ /\ rows[s] = "trim"
     /\ \A p \in Parents(s) :
          IF rows[p] # "none" THEN rows[p] = "end" \/ Mutant = "noparents"
          ELSE p \notin listed \/ Passed(rows, p) \/ Mutant = "noparents"
(* Known: the listing is younger than every shard that rows name. *)
Covers(listed, rows) == \A s \in S : rows[s] # "none" => ({s} \cup Parents(s)) \subseteq listed

Missing(listed, rows, s) ==
  /\ s \in listed /\ rows[s] = "none"
  /\ ~Passed(rows, s) \/ Mutant = "createall"
Deletable(listed, rows, s) ==
  /\ rows[s] = "end" /\ (s \notin listed \/ Mutant = "deletelisted")
  /\ \A c \in Children(s) : rows[c] \in {"prog", "end"} \/ (rows[c] = "none" /\ c \notin listed)

-----------------------------------------------------------------------------
(* The stream. *)

Reshard ==
  /\ there # S /\ there' = IF there = {1} THEN {1, 2, 3} ELSE S
  /\ UNCHANGED <<gone, row, done, lost, listing, epoch, run, begun, left>>
(* Retention passes a closed shard, parents before children. Unless the budget says
   so, it was read by then. A shard that comes and goes before anybody has made a row
   for it is left out: nothing tells of it but the loss of its ancestor. *)
Expire(s) ==
  /\ s \in Listed /\ Children(s) # {} /\ Children(s) \subseteq there /\ Parents(s) \subseteq gone
  /\ done[s] > 0 \/ row[s] # "none"
  /\ row[s] \in {"trim", "prog"} => left.losses > 0
  /\ left' = IF row[s] \in {"trim", "prog"} THEN [left EXCEPT !.losses = @ - 1] ELSE left
  /\ gone' = gone \cup {s}
  /\ UNCHANGED <<there, row, done, lost, listing, epoch, run, begun>>

(* Workers. What they remember of the stream is asked anew when rows name what it
   lacks. Taking and saving are conditional on the row, so they are done on what
   stands there now. *)
List == listing # Listed /\ listing' = Listed
        /\ UNCHANGED <<there, gone, row, done, lost, epoch, run, begun, left>>
View == IF Covers(listing, row) \/ Mutant = "nocovers" THEN listing ELSE Listed
Progress(s) ==
  /\ row[s] = "trim" /\ Runnable(View, row, s) /\ s \in Listed
  /\ row' = [row EXCEPT ![s] = "prog"]
  /\ UNCHANGED <<there, gone, done, lost, listing, epoch, run, begun, left>>
(* The end of a shard and the rows of its children, in one transaction. What is gone
   before it is read is reported. *)
Ended(s) ==
  /\ Children(s) # {} /\ Children(s) \subseteq there
  /\ IF s \in gone THEN row[s] \in {"trim", "prog"} /\ Runnable(View, row, s) ELSE row[s] = "prog"
  /\ row' = [t \in S |-> IF t = s THEN "end"
                         ELSE IF t \in Children(s) /\ row[t] = "none" /\ Mutant # "childrenlater" THEN "trim" ELSE row[t]]
  /\ done' = IF s \in gone THEN done ELSE [done EXCEPT ![s] = @ + 1]
  /\ lost' = IF s \in gone /\ Mutant # "silentloss" THEN lost \cup {s} ELSE lost
  /\ UNCHANGED <<there, gone, listing, epoch, run, begun, left>>

(* KCL deletes a finished row when the children have begun, listed or not, and knows
   of no epoch. It has done so before a run of ours begins: what it deletes while one
   is held up between reading and writing, that run may make again. *)
KclDelete(s) ==
  /\ \A r \in Runs : run[r].state = "idle"
  /\ left.deletes > 0 /\ row[s] = "end" /\ Children(s) # {} /\ \A c \in Children(s) : row[c] \in {"prog", "end"}
  /\ left' = [left EXCEPT !.deletes = @ - 1] /\ row' = [row EXCEPT ![s] = "none"]
  /\ UNCHANGED <<there, gone, done, lost, listing, epoch, run, begun>>

-----------------------------------------------------------------------------
(* A maintenance run: begin, list, read, write. *)

Begin(r) ==
  /\ run[r].state = "idle" /\ begun < Begins /\ begun' = begun + 1
  /\ epoch' = epoch + 1 /\ run' = [run EXCEPT ![r] = [Idle EXCEPT !.state = "begun", !.epoch = epoch + 1]]
  /\ UNCHANGED <<there, gone, row, done, lost, listing, left>>
Enumerate(r) ==
  /\ run[r].state = "begun" /\ run' = [run EXCEPT ![r].state = "listed", ![r].listed = Listed]
  /\ UNCHANGED <<there, gone, row, done, lost, listing, epoch, begun, left>>
Read(r) ==
  /\ run[r].state = "listed"
  /\ run' = [run EXCEPT ![r].state = "read", ![r].rows = row,
                        ![r].listed = IF Covers(@, row) \/ Mutant = "nocovers" THEN @ ELSE Listed]
  /\ UNCHANGED <<there, gone, row, done, lost, listing, epoch, begun, left>>
Fenced(r) == run[r].epoch = epoch \/ Mutant = "noepoch"
Create(r, s) ==
  /\ run[r].state = "read" /\ Missing(run[r].listed, run[r].rows, s)
  /\ Fenced(r) /\ row[s] = "none"
  /\ row' = [row EXCEPT ![s] = "trim"]
  /\ UNCHANGED <<there, gone, done, lost, listing, epoch, run, begun, left>>
Remove(r, s) ==
  /\ run[r].state = "read" /\ Deletable(run[r].listed, run[r].rows, s)
  /\ Fenced(r) /\ row[s] = "end"
  /\ row' = [row EXCEPT ![s] = "none"]
  /\ UNCHANGED <<there, gone, done, lost, listing, epoch, run, begun, left>>
Over(r) ==
  /\ run[r].state = "read" /\ run' = [run EXCEPT ![r] = Idle]
  /\ UNCHANGED <<there, gone, row, done, lost, listing, epoch, begun, left>>

Next == \/ Reshard \/ List
        \/ \E s \in S : Expire(s) \/ Progress(s) \/ Ended(s) \/ KclDelete(s)
        \/ \E r \in Runs : Begin(r) \/ Enumerate(r) \/ Read(r) \/ Over(r) \/ \E s \in S : Create(r, s) \/ Remove(r, s)
Spec == Init /\ [][Next]_vars

Over1(s) == done[s] > 0 \/ s \in lost
(* Inv-7: a child is begun when every parent was handled, or reported as lost. *)
ParentFirst == \A s \in S : row[s] \in {"prog", "end"} => \A p \in Parents(s) : Over1(p)
(* Inv-8: what was handled to its end is not handled again, and not reported as lost. *)
NoReplay == \A s \in S : done[s] <= 1 /\ ~(done[s] = 1 /\ row[s] \in {"trim", "prog"}) /\ ~(done[s] > 0 /\ s \in lost)
(* Inv-9: an open end of the stream always has a row, once its parents are over. *)
NoHole == \A s \in Listed : ((\A p \in Parents(s) : Over1(p)) /\ ~Over1(s)) => row[s] \in {"trim", "prog"}
(* Inv-11: what is over without having been handled was reported. *)
Declared == \A s \in S : row[s] = "end" => Over1(s)
=============================================================================
