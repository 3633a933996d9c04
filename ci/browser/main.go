// Command browser looks at what towpath shows in a headless Chromium and keeps
// pictures of it.
package main

func main() {}
