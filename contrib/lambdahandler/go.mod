module github.com/towpath/towpath/contrib/lambdahandler

go 1.26.0

require github.com/towpath/towpath v0.0.0

require github.com/aws/aws-lambda-go v1.55.1 // indirect

replace github.com/towpath/towpath => ../..
