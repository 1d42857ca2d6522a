package api

// routes are all calls, as api.md 6 of Maestro's contract lists them, and the few of our own.
func (a *API) routes() []route {
	var all []route
	for _, group := range [][]route{
		a.definitionRoutes(), a.startRoutes(), a.readRoutes(), a.actionRoutes(), a.breakpointRoutes(), a.templateRoutes(), a.signalRoutes(), a.inlineRoutes(),
		a.leafRoutes(), a.healthRoutes(),
	} {
		all = append(all, group...)
	}
	return all
}
