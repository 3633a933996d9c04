module github.com/towpath/towpath/contrib/lambdahandler

go 1.26.0

require github.com/towpath/towpath v0.0.0

require (
	github.com/aws/aws-lambda-go v1.55.1
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/time v0.16.0 // indirect
)

replace github.com/towpath/towpath => ../..
