package route

// Arguments for the functions that edit messages.
func init() {
	for name, args := range map[string]string{
		"change_reply_status": `"400", "x"`, "change_reply_status_code": `"400"`, "add_diversion": `"x"`,
		"fnmatch":   `"x", "y"`,
		"append_hf": `"X: y\r\n"`, "insert_hf": `"X: y\r\n"`, "append_urihf": `"X: ", "\r\n"`, "remove_hf": `"X"`,
		"remove_hf_pv": `"$rU"`,
		"remove_hf_re": `"X"`, "remove_hf_re_pv": `"X"`, "remove_hf_exp": `"X", "Y"`, "remove_hf_exp_pv": `"X", "Y"`,
		"remove_hf_idx":   `"X", "0"`,
		"remove_hf_match": `"X", "eq", "y"`, "is_present_hf": `"X"`, "is_present_hf_pv": `"$rU"`,
		"is_present_hf_re": `"X"`, "is_present_hf_re_pv": `"X"`,
		"search": `"x"`, "search_body": `"x"`, "search_append": `"x", "y"`, "search_append_body": `"x", "y"`,
		"search_hf":  `"X", "y", "a"`,
		"search_str": `"x", "y"`, "replace": `"x", "y"`, "replace_all": `"x", "y"`, "replace_hdrs": `"x", "y"`,
		"replace_body":     `"x", "y"`,
		"replace_body_all": `"x", "y"`, "replace_body_atonce": `"x", "y"`, "replace_str": `"x", "y", "a"`,
		"replace_hdrs_str": `"x", "y", "a"`,
		"replace_body_str": `"x", "y", "a"`, "subst": `"/x/y/"`, "subst_uri": `"/x/y/"`, "subst_user": `"/x/y/"`,
		"subst_body": `"/x/y/"`,
		"subst_hf":   `"X", "/x/y/", "a"`, "set_body": `"x", "text/plain"`, "filter_body": `"text/plain"`,
		"starts_with": `"x", "y"`,
		"ends_with":   `"x", "y"`, "cmp_str": `"x", "y"`, "cmp_istr": `"x", "y"`, "in_list": `"x", "y", ","`,
		"in_list_prefix": `"x", "y", ","`,
		"str_find":       `"x", "y"`, "str_ifind": `"x", "y"`, "is_privacy": `"id"`,
		"regex_substring": `"x", "y", "0", "1", "$var(x)"`,
		"get_uri_param":   `"x", "$var(x)"`, "is_supported": `"path"`, "set_uri_host": `"$ru", "$rU"`, "set_uri_user": `"$ru", "$rU"`,
		"sip_p_charging_vector": `"g"`, "tel2sip": `"x", "y", "$var(x)"`, "is_e164": `"$rU"`, "is_uri_user_e164": `"$ru"`,
		"set_reply_body": `"x", "text/plain"`, "append_body_part": `"x", "text/plain"`, "append_body_part_hex": `"61", "text/plain"`,
		"get_body_part": `"text/plain", "$var(x)"`, "get_body_part_raw": `"text/plain", "$var(x)"`, "remove_body_part": `"text/plain"`,
		"append_hf_value": `"X", "y"`, "insert_hf_value": `"X", "y"`, "remove_hf_value": `"X"`, "remove_hf_value2": `"X"`,
		"assign_hf_value": `"X", "y"`, "assign_hf_value2": `"X", "y"`, "include_hf_value": `"X", "y"`, "exclude_hf_value": `"X", "y"`,
		"hf_value_exists": `"X", "y"`, "hf_iterator_append": `"i", "X: y\r\n"`, "hf_iterator_insert": `"i", "X: y\r\n"`,
		"sdp_get": `"$avp(x)"`, "sdp_transport": `"$avp(x)"`, "sdp_get_line_startswith": `"$avp(x)", "m="`,
		"dp_translate": `"1"`, "dp_match": `"1", "x"`, "mt_match": `"t", "$rU", "0"`,
		"avp_check": `"$avp(x)", "eq/x"`, "avp_op": `"$avp(x)", "add/i:1"`, "avp_subst": `"$avp(x)", "/a/b/"`,
		"avp_subst_pv": `"$avp(x)", "/a/b/"`, "avp_pushto": `"$ru", "$avp(x)"`, "dbg_breakpoint": `"on"`,
		"set_alias_to_pv": `"$var(x)"`, "pv_printf": `"$var(x)", "y"`, "detailed_ip_type": `"1.1.1.1", "$var(x)"`,
	} {
		sampleArgs[name] = args
	}
}
