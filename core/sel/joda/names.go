package joda

// zoneNames are the English names of the zones that have one of their own: short and long, standard and
// summer time. The other zones show their offset.
var zoneNames = map[string][4]string{}

func init() {
	for _, g := range []struct {
		names [4]string
		ids   []string
	}{
		{[4]string{"UTC", "Coordinated Universal Time", "UTC", "Coordinated Universal Time"}, []string{"UTC", "Etc/UTC"}},
		{[4]string{"EST", "Eastern Standard Time", "EDT", "Eastern Daylight Time"}, []string{"America/New_York", "America/Detroit", "America/Toronto",
			"America/Indiana/Indianapolis", "America/Kentucky/Louisville", "America/Jamaica", "America/Panama", "EST5EDT", "EST"}},
		{[4]string{"CST", "Central Standard Time", "CDT", "Central Daylight Time"}, []string{"America/Chicago", "America/Winnipeg", "America/Mexico_City",
			"America/Regina", "America/Costa_Rica", "America/Guatemala", "America/El_Salvador", "CST6CDT"}},
		{[4]string{"MST", "Mountain Standard Time", "MDT", "Mountain Daylight Time"}, []string{"America/Denver", "America/Phoenix", "America/Edmonton",
			"America/Boise", "MST7MDT", "MST"}},
		{[4]string{"PST", "Pacific Standard Time", "PDT", "Pacific Daylight Time"}, []string{"America/Los_Angeles", "America/Vancouver", "America/Tijuana", "PST8PDT"}},
		{[4]string{"AKST", "Alaska Standard Time", "AKDT", "Alaska Daylight Time"}, []string{"America/Anchorage", "America/Juneau"}},
		{[4]string{"HST", "Hawaii-Aleutian Standard Time", "HDT", "Hawaii-Aleutian Daylight Time"}, []string{"Pacific/Honolulu", "America/Adak", "HST"}},
		{[4]string{"AST", "Atlantic Standard Time", "ADT", "Atlantic Daylight Time"}, []string{"America/Halifax", "America/Puerto_Rico", "Atlantic/Bermuda"}},
		{[4]string{"NST", "Newfoundland Standard Time", "NDT", "Newfoundland Daylight Time"}, []string{"America/St_Johns"}},
		{[4]string{"GMT", "Greenwich Mean Time", "BST", "British Summer Time"}, []string{"Europe/London"}},
		{[4]string{"GMT", "Greenwich Mean Time", "GMT", "Greenwich Mean Time"}, []string{"Etc/GMT", "Africa/Abidjan", "Africa/Accra", "Atlantic/Reykjavik"}},
		{[4]string{"WET", "Western European Standard Time", "WEST", "Western European Summer Time"}, []string{"Europe/Lisbon", "WET"}},
		{[4]string{"CET", "Central European Standard Time", "CEST", "Central European Summer Time"}, []string{"Europe/Paris", "Europe/Berlin", "Europe/Madrid",
			"Europe/Rome", "Europe/Amsterdam", "Europe/Brussels", "Europe/Vienna", "Europe/Zurich", "Europe/Stockholm", "Europe/Oslo", "Europe/Copenhagen",
			"Europe/Prague", "Europe/Warsaw", "Europe/Budapest", "Europe/Belgrade", "Europe/Luxembourg", "CET"}},
		{[4]string{"EET", "Eastern European Standard Time", "EEST", "Eastern European Summer Time"}, []string{"Europe/Athens", "Europe/Helsinki", "Europe/Kiev",
			"Europe/Kyiv", "Europe/Bucharest", "Europe/Sofia", "Europe/Riga", "Europe/Vilnius", "Europe/Tallinn", "Africa/Cairo", "Asia/Beirut", "EET"}},
		{[4]string{"MSK", "Moscow Standard Time", "MSD", "Moscow Summer Time"}, []string{"Europe/Moscow"}},
		{[4]string{"IST", "India Standard Time", "IST", "India Standard Time"}, []string{"Asia/Kolkata"}},
		{[4]string{"IST", "Israel Standard Time", "IDT", "Israel Daylight Time"}, []string{"Asia/Jerusalem"}},
		{[4]string{"PKT", "Pakistan Standard Time", "PKST", "Pakistan Summer Time"}, []string{"Asia/Karachi"}},
		{[4]string{"CST", "China Standard Time", "CDT", "China Daylight Time"}, []string{"Asia/Shanghai"}},
		{[4]string{"HKT", "Hong Kong Standard Time", "HKST", "Hong Kong Summer Time"}, []string{"Asia/Hong_Kong"}},
		{[4]string{"JST", "Japan Standard Time", "JDT", "Japan Daylight Time"}, []string{"Asia/Tokyo"}},
		{[4]string{"KST", "Korean Standard Time", "KDT", "Korean Daylight Time"}, []string{"Asia/Seoul"}},
		{[4]string{"WIB", "Western Indonesia Time", "WIB", "Western Indonesia Time"}, []string{"Asia/Jakarta"}},
		{[4]string{"AEST", "Australian Eastern Standard Time", "AEDT", "Australian Eastern Daylight Time"}, []string{"Australia/Sydney", "Australia/Melbourne",
			"Australia/Brisbane", "Australia/Hobart"}},
		{[4]string{"ACST", "Australian Central Standard Time", "ACDT", "Australian Central Daylight Time"}, []string{"Australia/Adelaide", "Australia/Darwin"}},
		{[4]string{"AWST", "Australian Western Standard Time", "AWDT", "Australian Western Daylight Time"}, []string{"Australia/Perth"}},
		{[4]string{"NZST", "New Zealand Standard Time", "NZDT", "New Zealand Daylight Time"}, []string{"Pacific/Auckland"}},
		{[4]string{"SAST", "South Africa Standard Time", "SAST", "South Africa Standard Time"}, []string{"Africa/Johannesburg"}},
		{[4]string{"WAT", "West Africa Standard Time", "WAST", "West Africa Summer Time"}, []string{"Africa/Lagos"}},
		{[4]string{"EAT", "East Africa Time", "EAT", "East Africa Time"}, []string{"Africa/Nairobi"}},
		{[4]string{"BRT", "Brasilia Standard Time", "BRST", "Brasilia Summer Time"}, []string{"America/Sao_Paulo"}},
		{[4]string{"ART", "Argentina Standard Time", "ARST", "Argentina Summer Time"}, []string{"America/Argentina/Buenos_Aires"}},
		{[4]string{"CLT", "Chile Standard Time", "CLST", "Chile Summer Time"}, []string{"America/Santiago"}},
		{[4]string{"COT", "Colombia Standard Time", "COST", "Colombia Summer Time"}, []string{"America/Bogota"}},
		{[4]string{"PET", "Peru Standard Time", "PEST", "Peru Summer Time"}, []string{"America/Lima"}},
		{[4]string{"SGT", "Singapore Standard Time", "SGT", "Singapore Standard Time"}, []string{"Asia/Singapore"}},
		{[4]string{"GST", "Gulf Standard Time", "GST", "Gulf Standard Time"}, []string{"Asia/Dubai"}},
		{[4]string{"ICT", "Indochina Time", "ICT", "Indochina Time"}, []string{"Asia/Bangkok", "Asia/Ho_Chi_Minh"}},
		{[4]string{"PST", "Philippine Standard Time", "PDT", "Philippine Summer Time"}, []string{"Asia/Manila"}},
		{[4]string{"NPT", "Nepal Time", "NPT", "Nepal Time"}, []string{"Asia/Kathmandu"}},
		{[4]string{"TRT", "Turkey Time", "TRST", "Turkey Summer Time"}, []string{"Europe/Istanbul"}},
		{[4]string{"GMT", "Greenwich Mean Time", "IST", "Irish Standard Time"}, []string{"Europe/Dublin"}},
	} {
		for _, id := range g.ids {
			zoneNames[id] = g.names
		}
	}
}

func displayName(z *Zone, at *transition, long bool) string {
	n, ok := zoneNames[z.id]
	if !ok || at.abbr == "LMT" {
		if at.offset == 0 && z.id == "UTC" {
			return "UTC"
		}
		return string(appendOffset(nil, at.offset, true, 2, 4))
	}
	i := 0
	// Dublin's summer time is its standard time in the data.
	if at.dst != (z.id == "Europe/Dublin") {
		i = 2
	}
	if long {
		i++
	}
	return n[i]
}
