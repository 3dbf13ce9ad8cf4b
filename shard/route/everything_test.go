package route

// testModules are all modules: modules_test.go, of another package, gives them.
var testModules []Declared

// SetTestModules takes them.
func SetTestModules(list []Declared) { testModules = list }

// everything is what is known of each module, in maps or declared.
func everything(set *Settings) map[string]*moduleDef {
	all := map[string]*moduleDef{}
	for n, d := range modules {
		all[n] = d
	}
	for _, d := range testModules {
		if all[d.Name] != nil {
			panic("BUG: module " + d.Name + " is declared and stands in the old map as well")
		}
		all[d.Name] = &newModule(d, set).def
	}
	return all
}
