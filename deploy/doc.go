// Package deploy holds what an application is deployed with, and the tests that
// hold those files to the library: its tables, its policies, its times and its
// metrics.
//
//	cloudformation/  the stream; tables, letters, roles and policies; alarms
//	ecs/             a task, its service, its scaling
//	kubernetes/      a deployment, its account, budget, network, probes and scaling
//	dashboards/      CloudWatch and Grafana
//	docker/          images
//
// docs/deploying.md says how to use them. There is no code in it.
package deploy
