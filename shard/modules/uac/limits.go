package uac

// maxRealms is how many realms of one response uac_auth() answers; others are left out.
const maxRealms = 8
