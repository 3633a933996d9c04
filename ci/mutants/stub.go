package main

var decisions, engine, handling, drivers []mutant
