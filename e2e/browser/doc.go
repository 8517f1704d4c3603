// Package browser drives headless Chromium over the DevTools protocol, so that
// tests see the farm's page and its player as a viewer does.
//
// A browser starts with an empty profile and reaches loopback addresses alone;
// what a page asks of any other host, what it throws and what it logs as an
// error is kept as a problem of the page, for the test to demand none.
//
// The package knows the page's window.gala and nothing else of the farm.
package browser
