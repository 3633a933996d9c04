package main

var drivers []mutant
