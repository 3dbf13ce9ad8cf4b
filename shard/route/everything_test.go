package route

// testModules are all modules: modules_test.go, of another package, gives them.
var testModules []Declared

// testSanity is sanity_check(), for the program written by hand.
var testSanity func(c *Ctx, msgChecks, uriChecks uint32) int

// SetTestModules takes them.
func SetTestModules(list []Declared, sanity func(c *Ctx, msgChecks, uriChecks uint32) int) {
	testModules, testSanity = list, sanity
}

// everything is what is known of each module.
func everything(set *Settings) map[string]*moduleDef {
	all := map[string]*moduleDef{}
	for _, d := range testModules {
		all[d.Name] = &newModule(d, set, nil).def
	}
	return all
}
