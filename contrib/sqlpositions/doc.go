// Package sqlpositions keeps positions in an SQL database, beside the effects they belong to.
package sqlpositions
