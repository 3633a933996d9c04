// Package measure reads a stream of package ready in this process, and says what
// it took of the processor and of memory for a number of records, after a
// warm-up. Each measurement is to be made in a process of its own: what is counted
// is the process's.
package measure
