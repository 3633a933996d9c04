// Package lambdahandler runs AWS Lambda handlers in a worker.
package lambdahandler
