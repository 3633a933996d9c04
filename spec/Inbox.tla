------------------------------- MODULE Inbox -------------------------------
(* Hints. A worker that has changed a row in a way that concerns another one puts a
   hint into that one's inbox, which means "look there", and nothing else. Hints are
   lost, late, doubled, and they outlive what they told of. Two things must hold: a
   hint never makes anybody do what the row does not say, and whatever a hint would
   have brought about comes about without one.

   consumer/looking.go (recognise, sweep, look, follow), consumer/planning.go (plan,
   take, ask, withdraw), consumer/lettinggo.go (letGo), and what is said of hints in
   shard/lease.go. That writes may be lost or late is the subject of LeaseSafe; here
   they are applied at once. *)
EXTENDS Naturals, FiniteSets

CONSTANTS
  Workers, Nobody,
  Asks,     \* how often the planner asks for a hand-over
  Deaths,   \* how many workers die
  Lapses,   \* how often a session runs out for a moment
  Mutant    \* "none", or which rule is broken on purpose

VARIABLES
  row,      \* owner and holder (checkpointOwner) of one lease
  does,     \* by worker: idle, works, drains
  alive,    \* the workers that are
  hints,    \* all that were ever given: each may arrive at any time, and again
  swept,    \* workers that have looked at their leases since a hand-over was asked for
  left      \* what is left of asks, deaths and lapses
vars == <<row, does, alive, hints, swept, left>>

Holder == IF row.holder # Nobody THEN row.holder ELSE row.owner

Init ==
  /\ row = [owner |-> Nobody, holder |-> Nobody]
  /\ does = [w \in Workers |-> "idle"] /\ alive = Workers /\ hints = {} /\ swept = {}
  /\ left = [asks |-> Asks, deaths |-> Deaths, lapses |-> Lapses]

Tell(w, kind, of) == hints' = hints \cup {[to |-> w, kind |-> kind, of |-> of]}

(* fleet.take: what is free, or whose holder is dead. *)
Take(w) ==
  /\ w \in alive /\ does[w] = "idle" /\ Holder \notin alive
  /\ row' = [owner |-> w, holder |-> Nobody]
  /\ does' = [does EXCEPT ![w] = "works"]
  /\ UNCHANGED <<alive, hints, swept, left>>

(* fleet.recognise: what a worker does about a row that it has read. *)
Look(w) ==
  does' = [does EXCEPT ![w] =
    IF Holder # w THEN (IF @ = "drains" THEN @ ELSE "idle")
    ELSE IF row.holder = w THEN "drains" ELSE IF @ = "idle" THEN "works" ELSE @]

(* fleet.follow. *)
Follow(w) == \E h \in hints :
  /\ h.to = w /\ w \in alive
  /\ CASE Mutant = "hintstart" /\ h.kind = "start" ->
            does' = [does EXCEPT ![w] = "works"] /\ UNCHANGED row
       [] Mutant = "hintdrain" /\ h.kind = "drain" /\ row.owner = w /\ does[w] = "works" ->
            does' = [does EXCEPT ![w] = "idle"] /\ row' = [owner |-> h.of, holder |-> Nobody]
       [] OTHER -> Look(w) /\ UNCHANGED row
  /\ UNCHANGED <<alive, hints, swept, left>>

(* fleet.sweep, every five seconds: the rows that name this worker as owner and are
   not worked, and those that it works and that do not. *)
Sweep(w) ==
  /\ w \in alive
  /\ LET named == row.owner = w  worked == does[w] # "idle" IN
       IF named /\ ~worked THEN Look(w)
       ELSE IF worked /\ ~named /\ ~(Mutant = "sweepblind" /\ Holder = w) THEN Look(w)
       ELSE UNCHANGED does
  /\ swept' = swept \cup {w}
  /\ UNCHANGED <<row, alive, hints, left>>

(* A worker that has lost a lease reads the whole table: fleet.over. *)
Plan(w) ==
  /\ w \in alive /\ does[w] = "idle" /\ Holder = w /\ Look(w)
  /\ UNCHANGED <<row, alive, hints, swept, left>>

(* fleet.ask. A shard that has just been handed over is not asked for again before it
   is worked. *)
Ask(to) ==
  /\ left.asks > 0 /\ to \in alive /\ row.owner \in alive \ {to} /\ row.holder = Nobody
  /\ does[row.owner] = "works"
  /\ row' = [owner |-> to, holder |-> row.owner]
  /\ left' = [left EXCEPT !.asks = @ - 1] /\ swept' = {}
  /\ Tell(row.owner, "drain", to)
  /\ UNCHANGED <<does, alive>>

(* fleet.withdraw, of a hand-over that has stood for DrainTimeout and five seconds:
   everybody has swept by then, and who drains has drained. *)
Withdraw ==
  /\ row.holder # Nobody /\ swept = alive /\ does[row.holder] # "drains"
  /\ row' = [owner |-> row.holder, holder |-> Nobody]
  /\ UNCHANGED <<does, alive, hints, swept, left>>

(* tenure.letGo: handlers have ended. Who is asked looks whether the other lives, and
   finishes or refuses; who finds nothing asked any more goes on. *)
LetGo(w) ==
  /\ w \in alive /\ does[w] = "drains"
  /\ IF row.holder # w THEN does' = [does EXCEPT ![w] = IF row.owner = w THEN "works" ELSE "idle"] /\ UNCHANGED <<row, hints>>
     ELSE IF row.owner \in alive
     THEN /\ row' = [row EXCEPT !.holder = Nobody] /\ Tell(row.owner, "start", w)
          /\ does' = [does EXCEPT ![w] = "idle"]
     ELSE /\ row' = [owner |-> w, holder |-> Nobody] /\ UNCHANGED hints
          /\ does' = [does EXCEPT ![w] = "works"]
  /\ UNCHANGED <<alive, swept, left>>

Die(w) ==
  /\ left.deaths > 0 /\ w \in alive /\ left' = [left EXCEPT !.deaths = @ - 1]
  /\ alive' = alive \ {w} /\ does' = [does EXCEPT ![w] = "idle"] /\ swept' = swept \ {w}
  /\ UNCHANGED <<row, hints>>
Lapse(w) ==
  /\ left.lapses > 0 /\ does[w] # "idle" /\ left' = [left EXCEPT !.lapses = @ - 1]
  /\ does' = [does EXCEPT ![w] = "idle"]
  /\ UNCHANGED <<row, alive, hints, swept>>

Next == \/ Withdraw
        \/ \E w \in Workers : Take(w) \/ Follow(w) \/ Sweep(w) \/ Plan(w) \/ Ask(w) \/ LetGo(w) \/ Die(w) \/ Lapse(w)
(* What a worker does by itself it does in the end. That hints arrive is not assumed. *)
Spec == Init /\ [][Next]_vars /\ \A w \in Workers : WF_vars(Take(w)) /\ WF_vars(Sweep(w)) /\ WF_vars(Plan(w)) /\ WF_vars(LetGo(w))

(* Inv-5: no two workers work the shard. *)
OneWorks == \A a, b \in Workers : (does[a] # "idle" /\ does[b] # "idle") => a = b

(* Who lives and holds the lease is the holder until it was asked. *)
OnlyAsked == [][\A w \in alive : (row.owner = w /\ row.holder = Nobody) => (row'.owner = w \/ row'.holder = w)]_vars

(* Inv-L1: somebody works the shard again, whatever came between. *)
Worked == []<>(\E w \in Workers : does[w] = "works" /\ Holder = w)

(* A hand-over that is asked for ends with the other one working, if both live. *)
Asked(w) == row.holder # Nobody /\ row.owner = w
HandedOver == \A w \in Workers :
  Asked(w) ~> (Cardinality(alive) < Cardinality(Workers) \/ left.lapses < Lapses \/ (row.owner = w /\ does[w] = "works"))
=============================================================================
