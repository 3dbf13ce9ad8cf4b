"use strict";
// JsSIP comes as CommonJS modules and without a bundle. This loads them as they are, one request each, synchronously: a test page may wait.

const modules = new Map();

function text(path) {
	const request = new XMLHttpRequest();
	request.open("GET", path, false);
	request.send();
	return request.status === 200 ? request.responseText : null;
}

// normal takes . and .. out of a path.
function normal(path) {
	return new URL(path, location.origin).pathname;
}

// file finds a module's file and its text: a name with or without ending, or a folder.
function file(path) {
	for (const ending of [".js", "/index.js"]) {
		const candidate = /\.(js|json)$/.test(path) ? path : path.replace(/\/$/, "") + ending;
		const found = text(candidate);
		if (found !== null) {
			return [candidate, found];
		}
	}
	throw new Error("no module at " + path);
}

function load(path) {
	if (modules.has(path)) {
		return modules.get(path).exports;
	}
	const [name, source] = file(path);
	const module = { exports: {} };
	modules.set(path, module);
	if (name.endsWith(".json")) {
		module.exports = JSON.parse(source);
		return module.exports;
	}
	const folder = name.slice(0, name.lastIndexOf("/") + 1);
	const body = new Function("require", "module", "exports", "global", source + "\n//# sourceURL=" + name);
	body((wanted) => require(wanted, folder), module, module.exports, window);
	return module.exports;
}

function require(wanted, folder) {
	if (wanted.startsWith(".")) {
		return load(normal(folder + wanted));
	}
	const home = "/node_modules/" + wanted + "/";
	const about = JSON.parse(text(home + "package.json"));
	return load(normal(home + (typeof about.browser === "string" ? about.browser : about.main)));
}
