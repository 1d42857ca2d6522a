package api

import (
	"fmt"
	"net/http"
)

// actuatorMedia is the content type of Spring Boot's actuator, which is what watches a Maestro server.
const actuatorMedia = "application/vnd.spring-boot.actuator.v3+json"

func (a *API) healthRoutes() []route {
	return []route{
		{method: http.MethodGet, path: "/actuator/health", produces: actuatorMedia, handle: (*call).health},
		{method: http.MethodGet, path: "/actuator", produces: actuatorMedia, handle: (*call).actuator},
	}
}

// health tells whether the table answers; all else can be lost and found again. Why it does not is for the log.
func (c *call) health() (answer, error) {
	if err := c.api.app.Ping(c.Context()); err != nil {
		c.api.log.ErrorContext(c.Context(), "table does not answer", "error", err)
		return c.asActuator(http.StatusServiceUnavailable, `{"status":"DOWN"}`)
	}
	return c.asActuator(http.StatusOK, `{"status":"UP"}`)
}

func (c *call) actuator() (answer, error) {
	url := "http://" + c.Host + "/actuator"
	return c.asActuator(http.StatusOK, fmt.Sprintf(
		`{"_links":{"self":{"href":%q,"templated":false},"health":{"href":%q,"templated":false},"health-path":{"href":%q,"templated":true}}}`, url, url+"/health", url+"/health/{*path}"))
}

// asActuator answers in the actuator's type, in plain JSON where the caller asks for just that.
func (c *call) asActuator(status int, body string) (answer, error) {
	media := actuatorMedia
	if accept := c.Header.Values("Accept"); !accepts(accept, actuatorMedia) {
		media = "application/json"
	}
	return answer{status: status, body: []byte(body), contentType: media}, nil
}
