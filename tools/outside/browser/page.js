"use strict";
// One end of calls. The test says what to do, one line at a time (GET next), and hears what happened (POST event).

const JsSIP = require("jssip");
const user = new URLSearchParams(location.search).get("user");
const media = { mediaConstraints: { audio: true, video: false }, pcConfig: { iceServers: [] } };

let agent = null;
let session = null;
let told = Promise.resolve();

// tell reports in order.
function tell(what, detail) {
	const body = JSON.stringify({ user, what, detail: detail === undefined ? "" : String(detail) });
	told = told.then(() => fetch("/event", { method: "POST", body }));
	return told;
}

window.onerror = (message, source, line) => tell("error", `${source}:${line}: ${message}`);
window.onunhandledrejection = (e) => tell("error", e.reason && e.reason.stack);

const actions = {
	register({ server, uri }) {
		agent = new JsSIP.UA({
			sockets: [new JsSIP.WebSocketInterface(server)], uri, register: true, register_expires: 600, session_timers: false,
		});
		agent.on("connected", () => tell("connected"));
		agent.on("disconnected", (e) => tell("disconnected", e.reason));
		agent.on("registered", (e) => tell("registered", e.response.status_code));
		agent.on("registrationFailed", (e) => tell("registration failed", e.cause));
		agent.on("newRTCSession", (e) => {
			watch(e.session, e.originator);
			if (e.originator === "remote") {
				e.session.answer(media);
			}
		});
		agent.start();
	},
	call({ target }) {
		agent.call(target, media);
	},
	hangup() {
		session.terminate();
	},
	stop() {
		agent.stop(); // unregisters
	},
};

// watch reports a call's life. Where ICE connected the audio of the other end arrives as well.
function watch(s, originator) {
	session = s;
	tell("call", originator);
	const connection = (pc) => {
		pc.addEventListener("iceconnectionstatechange", () => {
			if (pc.iceConnectionState === "connected") {
				tell("media");
			}
		});
	};
	if (s.connection) {
		connection(s.connection);
	}
	s.on("peerconnection", (e) => connection(e.peerconnection));
	s.on("progress", () => tell("progress"));
	s.on("accepted", () => tell("accepted"));
	s.on("confirmed", () => tell("confirmed"));
	s.on("failed", (e) => tell("failed", `${e.originator}: ${e.cause}`));
	s.on("ended", (e) => tell("ended", `${e.originator}: ${e.cause}`));
	s.on("getusermediafailed", (e) => tell("error", `no microphone: ${e}`));
	s.on("peerconnection:setremotedescriptionfailed", (e) => tell("error", e));
}

async function main() {
	await tell("ready", JsSIP.version);
	for (;;) {
		const answer = await fetch("/next?user=" + user);
		if (answer.status === 204) {
			continue; // nothing yet
		}
		const line = await answer.json();
		actions[line.do](line);
	}
}

main();
