package route

// testModules are all modules: modules_test.go, of another package, gives them.
var testModules []Declared

// SetTestModules takes them.
func SetTestModules(list []Declared) { testModules = list }

// everything is what is known of each module.
func everything(set *Settings) map[string]*moduleDef {
	all := map[string]*moduleDef{}
	for _, d := range testModules {
		all[d.Name] = &newModule(d, set).def
	}
	return all
}
